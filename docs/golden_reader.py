"""Read golden vectors: check every file, and recompute the signatures from the values.

The reader uses only the standard library and flat arrays, so that it is easy to port.
`python golden_reader.py DIR [DIR ...]` prints one line for each folder. It begins with OK, or
says what is wrong. The exit status is 0 if all begin with OK, and 1 otherwise.
"""

import hashlib
import json
import math
import sys
from pathlib import Path
from typing import Any

MASK = 0xFFFFFFFF


def file_of(folder: Path, name: str) -> Path:
    """Return the path of a file of the set; raise ValueError if it leads out of the folder."""
    path = folder / name
    if Path(name).name != name or path.is_symlink() or (path.exists() and not path.is_file()):
        raise ValueError(f"{name!r} must be a regular file of the folder")
    return path


def read(folder: Path, entry: dict[str, Any]) -> list[int]:
    """Return the values of an array in C order: the last axis moves fastest."""
    file, shape, fmt = entry["file"], entry["shape"], entry["format"]
    content = file_of(folder, file).read_bytes()
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ValueError(f"{file}: its SHA-256 differs from the manifest's")
    rows = [[int(word) for word in line.split()] for line in content.decode().splitlines()]
    if len(rows) != math.prod(shape[:-1]) or any(len(row) != shape[-1] for row in rows):
        raise ValueError(f"{file}: its rows do not have the manifest's shape {shape}")
    bits = int(fmt[1:].split(".")[0])  # "s10.6": signed, 10 bits, 6 of them fractional
    if not 1 <= bits <= 64:
        raise ValueError(f"{file}: the format {fmt} must have 1 to 64 bits")
    low = -(2 ** (bits - 1)) if fmt[0] == "s" else 0
    if any(not low <= value < low + 2**bits for row in rows for value in row):
        raise ValueError(f"{file}: a value does not fit the format {fmt}")
    return [value for row in rows for value in row]


def signatures(
    run: dict[str, Any], layer: dict[str, Any], arrays: dict[str, list[int]], prefix: str
) -> list[int]:
    """Check the signature of a layer after every step; return it after every window."""
    steps, inputs, neurons = run["steps"], layer["inputs"], layer["neurons"]
    if not 1 <= layer["lanes"] <= neurons:
        raise ValueError(f"manifest.json: lanes must be in 1 ..= {neurons}, not {layer['lanes']}")
    if len(arrays[f"{prefix}spike"]) != run["windows"] * steps * neurons:
        raise ValueError("manifest.json: its sizes do not match the array of spikes")
    lanes = [0] * layer["lanes"]  # one 32-bit register each

    def take(neuron: int, word: int) -> None:
        state = lanes[neuron % len(lanes)]  # polynomial of CRC-32, one word at a time
        state = (state << 1) ^ (0x04C11DB7 if state >> 31 else 0) ^ word
        lanes[neuron % len(lanes)] = state & MASK

    found = []
    for w in range(run["windows"]):
        for t in range(w * steps, (w + 1) * steps):
            for i in range(neurons):
                at = t * neurons + i
                potential = arrays[f"{prefix}membrane_potential"][at]
                take(i, potential ^ (arrays[f"{prefix}spike"][at] << 31))
            place = f"window {w}, step {t - w * steps}"
            compare(folded(lanes), arrays[f"{prefix}signature_by_step"][t], f"{prefix}{place}")
        for i in range(neurons if f"{prefix}weight" in arrays else 0):  # if it learns
            for j in range(inputs):
                take(i, arrays[f"{prefix}weight"][(w * inputs + j) * neurons + i])
        compare(folded(lanes), arrays[f"{prefix}signature"][w], f"{prefix}window {w}")
        found.append(folded(lanes))
    return found


def folded(words: list[int]) -> int:
    """Return the exclusive or of 32-bit words, word number n rotated left by n."""
    value = 0
    for n, word in enumerate(words):
        value ^= ((word << n % 32) | (word >> (32 - n % 32))) & MASK
    return value


def compare(found: int, given: int, place: str) -> None:
    """Raise ValueError unless a signature is that of the set."""
    if found != given:
        raise ValueError(f"signature after {place}: 0x{found:08x}, but 0x{given:08x} in the set")


def check(folder: Path) -> str:
    """Check the files of a set, and the signature after every step and window."""
    manifest = json.loads(file_of(folder, "manifest.json").read_bytes())
    network = (manifest["kind"], manifest["version"]) == ("bitlif golden network", 1)
    if not network and (manifest["kind"], manifest["version"]) != ("bitlif golden vectors", 1):
        raise ValueError("manifest.json: must describe golden vectors, version 1")
    config, run = manifest["config"], manifest["run"]
    if hashlib.sha256(file_of(folder, config["file"]).read_bytes()).hexdigest() != config["sha256"]:
        raise ValueError(f"{config['file']}: its SHA-256 differs from the manifest's")
    arrays = {entry["name"]: read(folder, entry) for entry in manifest["arrays"]}
    if network:
        layers = [
            signatures(run, layer, arrays, f"layer.{n}.")
            for n, layer in enumerate(manifest["layers"])
        ]
        for w in range(run["windows"]):
            own = [layer[w] for layer in layers]
            compare(folded(own), arrays["signature"][w], f"window {w} of the network")
    else:
        signatures(run, run, arrays, "")
    count = sum(len(values) for values in arrays.values())
    return f"{config['name']}, {run['windows']} windows, {count} values, all signatures"


folders = sys.argv[1:]
if not folders:
    sys.exit("usage: python golden_reader.py DIR [DIR ...]")
right = True
for name in folders:
    try:
        print(f"OK: {check(Path(name))}")
    except (
        OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError,
    ) as error:  # fmt: skip
        clear = isinstance(error, (OSError, ValueError))  # these say what is wrong
        message = error if clear else f"manifest.json: {error!r}"
        print(f"not OK: {name + ': ' if len(folders) > 1 else ''}{message}")
        right = False
sys.exit(not right)
