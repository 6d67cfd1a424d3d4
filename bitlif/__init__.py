"""bitlif: a noisy neuron whose learning is the same, to the bit, in software and in gates."""

from bitlif.model.config import Config

__version__ = "0.1.0"
__all__ = ["Config", "__version__"]
