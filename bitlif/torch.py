"""Networks as modules of PyTorch, whose forward pass computes the integers of the contract.

`Network` has the bits of ``bitlif.open(config, "model")`` and a gradient; `FloatNetwork` is the
same in real numbers. Needs PyTorch: the extra ``torch``.
"""

from __future__ import annotations

from bitlif.model.extras import require_extra

require_extra("bitlif.torch needs PyTorch", "torch", "torch")

from bitlif.trained.float_network import FloatNetwork  # noqa: E402
from bitlif.trained.losses import (  # noqa: E402
    FirstSpikeLoss,
    LikelihoodLoss,
    SpikeCountLoss,
    first_spike_times,
)
from bitlif.trained.network import Network  # noqa: E402
from bitlif.trained.readouts import Spikes  # noqa: E402
from bitlif.trained.state import LayerSignals, NetworkState  # noqa: E402

__all__ = [
    "FirstSpikeLoss",
    "FloatNetwork",
    "LayerSignals",
    "LikelihoodLoss",
    "Network",
    "NetworkState",
    "SpikeCountLoss",
    "Spikes",
    "first_spike_times",
]
