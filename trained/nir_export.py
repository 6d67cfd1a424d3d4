"""Networks of ours as NIR, with a sidecar of the arithmetic that NIR leaves open.

The sidecar is a JSON file beside the NIR file, named ``FILE.bitlif.json``. It holds the whole
configuration: formats, roundings, LFSRs, tables, schedules. A pair is read back to the bit.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.checks import check_weights
from bitlif.model.config.config import Config, config_from_dict
from bitlif.model.config.network import NetworkConfig, any_hash, network_from_dict, single
from bitlif.model.config.toml import config_to_dict
from bitlif.model.errors import BitlifError, located, located_in_layer, require_real, warn
from bitlif.model.extras import require_extra
from bitlif.model.storage.atomic import write_file
from bitlif.model.storage.reading import read_text
from bitlif.model.text import path_text, quoted

from .nir_graph import read_graph
from .real_values import real_values

KIND, VERSION = "bitlif network", 1
SUFFIX = ".bitlif.json"
MOST_BYTES = 1 << 24
"""Most bytes of a sidecar."""

STEP = 1e-3
"""Seconds of a step in an exported file, unless another is given."""


def sidecar_path(path: str | Path) -> Path:
    """Return the path of the sidecar of a NIR file.

    >>> sidecar_path("net.nir").name
    'net.bitlif.json'
    """
    return Path(path).with_suffix(SUFFIX)


def export_nir(
    path: str | Path,
    config: Config | NetworkConfig,
    weights: Sequence[NDArray[np.integer]] | NDArray[np.integer],
    *,
    dt: float = STEP,
) -> None:
    """Write a network to a NIR file and its sidecar.

    The NIR file has a Linear and a CubaLIF node per layer (LIF without a synaptic filter, IF
    without a leak either), with the real values of the integers. By Euler's method with the step
    `dt` they are our equations, but for roundings and noise. LIF and IF divide their thresholds by
    the gain instead of having it, so that the file tells `dt`.

    Parameters
    ----------
    path : str or Path
    config : Config or NetworkConfig
    weights : (N, M) int, or a list of them, of a network
        Raw.
    dt : float
        Seconds per step.

    Raises
    ------
    BitlifError
        If weights do not fit, `dt` is out of range, a layer has a synaptic filter and no leak, or
        the package nir is missing.

    Warns
    -----
    BitlifWarning
        If a teacher resets the last layer, or spikes subtract the threshold, which only the sidecar
        says.
    """
    write_file(Path(path), nir_content(config, weights, dt=dt))
    write_file(sidecar_path(path), sidecar_content(config, dt=dt))


def nir_content(
    config: Config | NetworkConfig,
    weights: Sequence[NDArray[np.integer]] | NDArray[np.integer],
    *,
    dt: float = STEP,
) -> bytes:
    """Return the bytes of the NIR file; see `export_nir`."""
    require_extra("NIR files need the package {}", "nir", "nir")
    import nir

    dt = require_real("dt", dt, 0.0, 1e3, open_low=True)
    network = config if isinstance(config, NetworkConfig) else single(config)
    own = list(weights) if isinstance(config, NetworkConfig) else [np.asarray(weights)]
    if len(own) != len(network.layers):
        raise BitlifError(f"weights must be of {len(network.layers)} layers, not of {len(own)}")
    names = ["input"]
    nodes: dict[str, Any] = {"input": nir.Input(np.array([network.layers[0].config.layer.inputs]))}
    for number, (raw, layer) in enumerate(zip(own, network.layers, strict=True)):
        with located_in_layer(number):
            checked = check_weights(layer.config, np.asarray(raw))
        if layer.config.membrane.reset == "teacher":
            warn("NIR knows no reset by a teacher: only the sidecar says that layer "
                 f"{number} has one")  # fmt: skip
        if layer.config.membrane.reset == "subtract":
            warn("NIR knows no subtraction of the threshold: only the sidecar says that layer "
                 f"{number} has one; import it with reset 'subtract'")  # fmt: skip
        real = checked.T * float(layer.config.synapse.weight.lsb)
        nodes[f"weights_{number}"] = nir.Linear(weight=real)
        with located_in_layer(number):
            nodes[f"neurons_{number}"] = _neurons(layer.config, dt)
        names += [f"weights_{number}", f"neurons_{number}"]
    names.append("output")
    nodes["output"] = nir.Output(np.array([network.layers[-1].config.layer.neurons]))
    edges = list(itertools.pairwise(names))
    content = io.BytesIO()
    nir.write(content, nir.NIRGraph(nodes=nodes, edges=edges))
    return content.getvalue()


def _neurons(config: Config, dt: float) -> Any:
    """Return the node of a layer's neurons."""
    import nir

    leak_s, leak_m, gain, threshold = real_values(config)
    every = np.ones(config.layer.neurons)
    if config.membrane.decay.integrates:
        if not config.synapse.decay.none:
            raise BitlifError(
                "membrane.decay must not be 'integrate' with a synaptic filter: NIR has no such "
                "neuron"
            )
        return nir.IF(r=every / dt, v_threshold=every * threshold / gain, v_reset=every * 0.0)
    tau_s, tau_m = dt / (1.0 - leak_s), dt / (1.0 - leak_m)
    rest = {"v_leak": every * 0.0, "v_reset": every * 0.0}
    if config.synapse.decay.none:
        return nir.LIF(
            tau=every * tau_m, r=every * tau_m / dt, v_threshold=every * threshold / gain, **rest
        )
    return nir.CubaLIF(
        tau_syn=every * tau_s, tau_mem=every * tau_m, w_in=every * tau_s / dt,
        r=every * gain * tau_m / dt, v_threshold=every * threshold, **rest,
    )  # fmt: skip


def sidecar_content(config: Config | NetworkConfig, *, dt: float = STEP) -> str:
    """Return the text of the sidecar; see `export_nir`."""
    tree = {
        "kind": KIND, "version": VERSION, "layers": isinstance(config, NetworkConfig),
        "dt": dt, "hash": any_hash(config), "config": config_tree(config),
    }  # fmt: skip
    return json.dumps(tree, indent=1) + "\n"


def config_tree(config: Config | NetworkConfig) -> dict[str, Any]:
    """Return all fields of a configuration as plain values."""
    if isinstance(config, NetworkConfig):
        return config.to_dict()
    return config_to_dict(config)


def load_pair(
    path: str | Path,
) -> tuple[Config | NetworkConfig, list[NDArray[np.int64]] | NDArray[np.int64]]:
    """Return the configuration and the raw weights of a NIR file with its sidecar.

    Raises
    ------
    BitlifError
        If a file cannot be read, or the weights are not those of the sidecar's format: then the
        NIR file was changed after it was written.
    """
    sidecar = sidecar_path(path)
    where = f"sidecar '{path_text(sidecar)}'"
    try:
        tree = json.loads(read_text("sidecar", sidecar, MOST_BYTES))
    except json.JSONDecodeError as error:
        raise BitlifError(f"{where} must be JSON: {error}") from error
    if not isinstance(tree, dict) or (tree.get("kind"), tree.get("version")) != (KIND, VERSION):
        raise BitlifError(f"{where} must be of kind '{KIND}', version {VERSION}")
    if not isinstance(tree.get("config"), dict) or not isinstance(tree.get("layers"), bool):
        raise BitlifError(f"{where} must hold config, a table, and layers, true or false")
    with located(where):
        config = _config(tree["config"], layers=tree["layers"])
        if any_hash(config) != tree.get("hash"):
            raise BitlifError(f"hash must be {any_hash(config)}, not {quoted(tree.get('hash'))}")
    network = config if isinstance(config, NetworkConfig) else single(config)
    nodes = read_graph(path).nodes
    found = []
    for number, layer in enumerate(network.layers):
        name = f"weights_{number}"
        if name not in nodes:
            raise BitlifError(f"{where}: the NIR file has no node {quoted(name)}")
        real = np.asarray(nodes[name].weight, np.float64).T
        scaled = real / float(layer.config.synapse.weight.lsb)
        if not np.array_equal(scaled, np.round(scaled)):
            raise BitlifError(
                f"{where}: the weights of layer {number} must be multiples of the LSB of "
                f"'{layer.config.synapse.weight}': the NIR file was changed; remove the sidecar "
                f"to import it anew"
            )
        with located(f"{where}: layer.{number}"):
            found.append(check_weights(layer.config, scaled.astype(np.int64)))
    return config, found if isinstance(config, NetworkConfig) else found[0]


def _config(tree: dict[str, Any], *, layers: bool) -> Config | NetworkConfig:
    if layers:
        return network_from_dict(tree)
    return config_from_dict(tree)
