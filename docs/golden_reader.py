"""Read golden vectors: check every file, and work the signatures out again from the values.

Standard library only, flat arrays, no classes: made to be ported. `python golden_reader.py DIR`
ends with 0 and a line that begins with OK, or with 1 and one line that says what is wrong.
"""

import hashlib
import json
import math
import sys
from pathlib import Path
from typing import Any

MASK = 0xFFFFFFFF


def read(folder: Path, file: str, sha256: str) -> str:
    """Return a file's text, once its hash is the manifest's."""
    content = (folder / file).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{file}: its SHA-256 is not the manifest's")
    return content.decode()


def read_array(folder: Path, entry: dict[str, Any]) -> list[int]:
    """Return an array's values in C order: the last axis moves fastest."""
    file, shape, fmt = entry["file"], entry["shape"], entry["format"]
    lines = read(folder, file, entry["sha256"]).splitlines()
    rows = [[int(word) for word in line.split()] for line in lines]
    if len(rows) != math.prod(shape[:-1]) or any(len(row) != shape[-1] for row in rows):
        raise ValueError(f"{file}: its rows are not those of the manifest's shape {shape}")
    bits = int(fmt[1:].split(".")[0])  # "s10.6": signed, 10 bits, 6 of them fractional
    low = -(2 ** (bits - 1)) if fmt[0] == "s" else 0
    values = [value for row in rows for value in row]
    if min(values) < low or max(values) >= low + 2**bits:
        raise ValueError(f"{file}: a value does not fit the format {fmt}")
    return values


def take(lanes: list[int], lane: int, word: int) -> None:
    """Shift a word into a lane's register: 32 bits, CRC-32's polynomial."""
    state = lanes[lane]
    lanes[lane] = ((state << 1) & MASK) ^ (0x04C11DB7 if state >> 31 else 0) ^ (word & MASK)


def compare(lanes: list[int], given: int, place: str) -> None:
    """Fold the registers, that of lane l rotated left by l; raise unless it is as given."""
    folded = 0
    for lane, state in enumerate(lanes):
        turn = lane % 32
        folded ^= ((state << turn) | (state >> (32 - turn))) & MASK
    if folded != given:
        raise ValueError(f"signature after {place}: 0x{folded:08x}, in the set 0x{given:08x}")


def check_signatures(run: dict[str, Any], arrays: dict[str, list[int]]) -> None:
    """Compare the signature after every step and every window."""
    steps, inputs, neurons = run["steps"], run["inputs"], run["neurons"]
    lanes = [0] * run["lanes"]
    for w in range(run["windows"]):
        for t in range(w * steps, (w + 1) * steps):
            for i in range(neurons):
                potential, spike = (
                    arrays[name][t * neurons + i] for name in ("membrane_potential", "spike")
                )
                take(lanes, i % len(lanes), (potential & MASK) ^ (spike << 31))
            compare(lanes, arrays["signature_by_step"][t], f"window {w}, step {t - w * steps}")
        for i in range(neurons if run["learns"] else 0):
            for j in range(inputs):
                take(lanes, i % len(lanes), arrays["weight"][(w * inputs + j) * neurons + i])
        compare(lanes, arrays["signature"][w], f"window {w}")


def check(folder: Path) -> str:
    """Check a whole set; return what it is."""
    told = json.loads((folder / "manifest.json").read_bytes())
    if (told["kind"], told["version"]) != ("bitlif golden vectors", 1):
        raise ValueError("manifest.json: not of golden vectors, version 1")
    config = told["config"]
    read(folder, config["file"], config["sha256"])
    arrays = {entry["name"]: read_array(folder, entry) for entry in told["arrays"]}
    check_signatures(told["run"], arrays)
    count = sum(len(values) for values in arrays.values())
    return f"{config['name']}, {told['run']['windows']} windows, {count} values, all signatures"


def main(words: list[str]) -> int:
    """Check the folder that the command line names."""
    if len(words) != 1:
        print("usage: python golden_reader.py DIR")
        return 1
    try:
        print(f"OK: {check(Path(words[0]))}")
    except (OSError, ValueError) as error:
        print(f"not OK: {error}")
    except (LookupError, TypeError) as error:
        print(f"not OK: manifest.json: {error!r}")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
