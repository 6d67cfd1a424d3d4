"""Hostile files generated from a seed: valid, damaged, shuffled, oversized, or of another kind.

The module also has simple readers, written independently of bitlif: if a call accepts a file, it
must read the same as they do.
"""

from __future__ import annotations

import io
import os
import random
import re
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS, INPUTS, NEURONS, WINDOWS = 16, 6, 4, 3
"""Sizes of the ready-made configuration `tiny`, for which all files are made."""

Arrays = dict[str, Any]


# -- valid ones ------------------------------------------------------------------------------


def spike_pairs(chance: random.Random) -> list[tuple[int, int]]:
    """Return times and addresses of random spikes, in order."""
    places = range(WINDOWS * STEPS * INPUTS)
    return [divmod(place, INPUTS) for place in sorted(chance.sample(places, 60))]


def spike_arrays(chance: random.Random) -> Arrays:
    """Return the arrays of a spike file."""
    pairs = spike_pairs(chance)
    counts = np.bincount([time for time, _ in pairs], minlength=WINDOWS * STEPS)
    return {
        "addresses": np.array([address for _, address in pairs], np.int32),
        "pointers": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        "steps": np.array(STEPS),
        "units": np.array(INPUTS),
    }


def weight_arrays(chance: random.Random) -> Arrays:
    """Return the arrays of a weight file."""
    values = [[chance.randint(-32, 31) for _ in range(NEURONS)] for _ in range(INPUTS)]
    return {"weights": np.array(values, np.int32), "format": np.array("s6.4")}


def target_arrays(chance: random.Random) -> Arrays:
    """Return the array of a target file."""
    shape = chance.choice([(WINDOWS, NEURONS), (WINDOWS, STEPS, NEURONS)])
    levels = np.array([chance.randint(0, 16) for _ in range(int(np.prod(shape)))]).reshape(shape)
    return {"targets": levels if chance.random() < 0.6 else levels / 16}


def npz(arrays: Arrays, *, packed: bool = True) -> bytes:
    """Return the bytes of an ``.npz`` file."""
    out = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(out, **arrays)
    return out.getvalue()


# -- wrong arrays ----------------------------------------------------------------------------


def other_array(chance: random.Random, array: NDArray[Any]) -> Any:
    """Return an array of any type, shape or range in place of another."""
    kinds = [
        "?",
        "|i1",
        "|u1",
        ">i2",
        "<u4",
        ">i8",
        "<u8",
        "<f2",
        ">f4",
        "<f8",
        "<c16",
        "<U3",
        "|S5",
    ]
    kinds += ["<M8[s]", "<m8[D]", "i4,f8", "V7"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        choice = chance.randrange(14)
        if choice == 0:
            return array[..., None]
        if choice == 1:
            return array.ravel()[:-1] if array.ndim else array.reshape(1)
        if choice == 2:
            return np.array(chance.choice([0, 1, -1, 2**31, 2**63 - 1, -(2**63)]), np.int64)
        if choice == 3:
            return np.full(array.shape, chance.choice([-1, 33, 2**31, -(2**40), 2**62]), np.int64)
        if choice == 4:
            return np.full(array.shape, chance.choice([np.nan, np.inf, -0.0, 1e300, 0.5]))
        if choice == 5:
            return np.array([None, {}], object)
        if choice == 6:
            return np.zeros((0,) * max(1, array.ndim), array.dtype)
        if choice == 7:
            return np.asfortranarray(array)
        if choice == 8:
            return np.full(array.shape, 2**64 - 1, np.uint64)
        if choice == 9:
            return np.array(chance.choice(["", "s6.4" * 99, "\x1b[2J", "[/x]", "s6.5", "u6.4"]))
        if choice == 10:
            return np.repeat(array.reshape(1, -1), 2, axis=0)
        if choice == 11:
            flat = array.copy().ravel()
            if flat.size and flat.dtype.kind in "iu":
                flat[chance.randrange(flat.size)] = chance.choice([-1, 7, 40, 127])
            return flat.reshape(array.shape)
        kind = chance.choice(kinds)
        if array.dtype.kind == "U" or kind in ("i4,f8", "V7"):
            return np.zeros(array.shape, kind)
        return array.astype(kind)


def header(chance: random.Random) -> bytes:
    """Return an array header with false information."""
    shape = chance.choice(
        ["(1 << 40,)", "(1099511627776,)", "(-1,)", "(6, 4)", "()", "(True,)", "(9**9**9,)",
         "(0, 99999999999999999999)", "(" * 300 + ")" * 300, "(" + "1," * 400 + ")", "(2.0,)"]
    )  # fmt: skip
    kind = chance.choice(
        ["'<i8'", "'|O'", "'<U999999999'", "'nonsense'", "[('a', '<i4')]", "'|V0'"]
    )
    order = chance.choice(["False", "True", "None"])
    text = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}"
    if chance.random() < 0.2:
        text = chance.choice(
            ["", "{}", "[" * 2000, "-" * 5000, "__import__('os').abort()", "\0" * 9]
        )
    version = chance.choice([b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x09"])
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text))
    return b"\x93NUMPY" + version + length + text.encode()


def odd_archive(chance: random.Random, arrays: Arrays) -> bytes:
    """Return an archive that misleads a careless reader."""
    out = io.BytesIO()
    methods = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    choice = chance.randrange(8)
    method = methods[1] if choice < 6 else chance.choice(methods)
    names = list(arrays)
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name in names:
            one = io.BytesIO()
            np.save(one, arrays[name])
            archive.writestr(f"{name}.npy", one.getvalue())
        victim = chance.choice(names)
        if choice == 0:  # a bomb
            with archive.open(f"{chance.choice([victim, 'more'])}.npy", "w") as member:
                fields = {"descr": "|i1", "fortran_order": False, "shape": (1 << 31,)}
                np.lib.format.write_array_header_1_0(member, fields)
                for _ in range(256):
                    member.write(bytes(1 << 20))
        elif choice == 1:  # an array twice
            archive.writestr(f"{victim}.npy", one.getvalue())
        elif choice == 2:
            archive.writestr("notes.txt", b"more")
        elif choice == 3:
            archive.writestr(chance.choice(["../../x.npy", "/x.npy", "a/b.npy", ".npy"]), b"")
        elif choice == 4:
            archive.writestr("more.npy", header(chance) + bytes(64))
        elif choice == 5:
            for number in range(3000):
                archive.writestr(f"{number}.npy", b"")
    content = bytearray(out.getvalue())
    if choice in (6, 7) and chance.random() < 0.5:  # encrypted, says one of the two flags
        mark, place = chance.choice([(b"PK\x01\x02", 8), (b"PK\x03\x04", 6)])
        content[content.find(mark) + place] |= 1
    return bytes(content)


def hostile_npz(chance: random.Random, arrays: Arrays) -> bytes:
    """Return a file that may or may not be valid."""
    choice = chance.randrange(10)
    if choice == 0:
        return npz(arrays, packed=chance.random() < 0.5)
    if choice in (1, 2, 3, 4):
        changed = dict(arrays)
        for name in chance.sample(list(arrays), chance.randint(1, min(2, len(arrays)))):
            changed[name] = other_array(chance, np.asarray(arrays[name]))
        if chance.random() < 0.1:
            del changed[chance.choice(list(changed))]
        return npz(changed)
    if choice == 5:
        return odd_archive(chance, arrays)
    if choice == 6:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name in arrays:
                archive.writestr(f"{name}.npy", header(chance) + bytes(chance.randrange(200)))
        return out.getvalue()
    return damaged(chance, npz(arrays, packed=chance.random() < 0.5))


def damaged(chance: random.Random, whole: bytes) -> bytes:
    """Return a file with some bytes changed, removed, duplicated or added."""
    content = bytearray(whole)
    choice = chance.randrange(6)
    place = chance.randrange(max(1, len(content)))
    if choice == 0:
        return bytes(content[:place])
    if choice == 1:
        return bytes(content[place:])
    if choice == 2:
        return bytes(content[:place] + content[chance.randrange(len(content)) :])
    if choice == 3:
        return bytes(content) + chance.randbytes(chance.randrange(1, 300))
    if choice == 4:
        return bytes(content[:place] + chance.randbytes(4) + content[place:])
    for _ in range(chance.randint(1, 8)):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(content)


# -- AER text --------------------------------------------------------------------------------

ODD_LINES = [
    "0 0 0", "1", "-1 2", "0.5 1", "1,2", "x y", "1e3 2", "0x1 2", "\u0661 2", "1\xa02", "1\x0b2",
    "99999999999999999999 1", "9" * 5000 + " 1", "0 6", "48 0", "47 65536", "\x00", "\x1b[2J",
    "# steps 32", "# steps=16 neurons=6", "# windows 99", "# step 16", "# n_units 6", "# units 7",
    "# windows=-3", "# steps 16.0", "# 16 steps, 6 units", "# a comment", "#", "", "  \t ",
    "# windows 5", "0 0 # windows 9", "# steps 16 steps 16", "#windows: 4", "% matlab", "// c",
    "x" * 3000, "# " + "y" * 3000, "# windows 99999999999999999999", "# units", "# 3 windows",
]  # fmt: skip


def hostile_aer(chance: random.Random) -> bytes:
    """Return spike text that may or may not be valid."""
    heads = [
        f"# steps {STEPS} units {INPUTS} windows {WINDOWS}", f"# steps={STEPS}, units={INPUTS}", "",
        f"# Steps: {STEPS}\n# windows = 4", "# recorded by hand\n#\n# windows 3",
        "# windows=268435456",
        "# windows 2", "# windows 0", "# steps 17", f"# steps 1 units {INPUTS}", "# seed 3 trial 4",
        "# windows 2000000", "# windows 2097152",
    ]  # fmt: skip
    pairs = spike_pairs(chance)
    if chance.random() < 0.3:
        chance.shuffle(pairs)
    if chance.random() < 0.15:
        pairs.insert(chance.randrange(len(pairs)), chance.choice(pairs))
    lines = [f"{time} {address}" for time, address in pairs]
    if chance.random() < 0.5:
        for _ in range(chance.randint(1, 2)):
            lines.insert(chance.choice([0, chance.randrange(len(lines))]), chance.choice(ODD_LINES))
    end = chance.choice(["\n", "\n", "\n", "\r\n", "\r"])
    text = end.join(
        [*(chance.choice(heads) if chance.random() < 0.6 else heads[0]).split("\n"), *lines]
    )
    encoding = chance.choice(
        ["utf-8"] * 8 + ["utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-7"]
    )
    content = (text + chance.choice(["", end])).encode(encoding)
    return damaged(chance, content) if chance.random() < 0.2 else content


Reading = tuple[int, list[tuple[int, int]]]


def plain_aer(content: bytes, *, merge: bool) -> Reading | None:
    """Return windows and spikes of a text, or None if it is invalid."""
    try:
        text = content.decode("utf-8-sig", "surrogateescape").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None
    windows, pairs = 0, []
    for line in text.split("\n"):
        if line.strip(" \t").startswith("#"):
            found = re.findall(r"(\w+)[\s=:]+(\d+)", line.lower(), re.ASCII)
            for key, value in found:
                if key == "windows":
                    windows = int(value)
                if (key, int(value[:30])) in (("steps", STEPS), ("units", INPUTS)):
                    continue
                if key in ("steps", "units"):
                    return None
            continue
        body = line.partition("#")[0].strip(" \t")
        if body:
            if not re.fullmatch(r"[0-9]+[ \t]+[0-9]+", body):
                return None
            time, address = (int(word[-30:]) for word in body.split())
            pairs.append((time, address))
    if len(set(pairs)) != len(pairs) and not merge:
        return None
    last = max((time for time, _ in pairs), default=0)
    windows = windows or last // STEPS + 1
    if last >= windows * STEPS or any(address >= INPUTS for _, address in pairs):
        return None
    return windows, sorted(set(pairs))


def plain_spikes(path: Path) -> Reading | None:
    """Return windows and spikes of an ``.npz`` file as NumPy reads it, or None if invalid."""
    data = plain_npz(path)
    if data is None or not {"addresses", "pointers", "steps", "units"} <= data.keys():
        return None
    if (data["steps"].tolist(), data["units"].tolist()) != (STEPS, INPUTS):
        return None
    pointers, addresses = data["pointers"].tolist(), data["addresses"].tolist()
    if (
        not isinstance(pointers, list)
        or (len(pointers) - 1) % STEPS
        or pointers[-1] != len(addresses)
    ):
        return None
    pairs = [
        (time, address)
        for time in range(len(pointers) - 1)
        for address in addresses[pointers[time] : pointers[time + 1]]
    ]
    return (len(pointers) - 1) // STEPS, pairs


def plain_npz(path: Path) -> Arrays | None:
    """Return the arrays of a file as NumPy reads them, or None if it cannot."""
    try:
        with np.load(path, allow_pickle=False) as data:
            return {name: data[name] for name in data}
    except Exception:
        return None


# -- text ------------------------------------------------------------------------------------

VALUES = [
    "0", "-1", "1", "3", "1.5", "nan", "inf", "-inf", "1e400", "true", '""', '"x"', '"[/x]"',
    '"\\u001b[2J"', "[]", "[1, 2]", "{}", "{a = 1}", "1979-05-27", "07:32:00", "0x" + "f" * 5000,
    "0b" + "1" * 20000, "9" * 4300, "9" * 5000, '"' + "x" * 100_000 + '"', "[" * 3000 + "]" * 3000,
    "[" + "0.5," * 50_000 + "]", "'''x\ny'''", "2024-13-45", '"../../x"', '"s8.6"', '"s64.60"',
    '"u8.6"', "4294967296", "18446744073709551616", '"\U0001f600"', "1_000", "0o17", "'\\'",
]  # fmt: skip


def hostile_toml(chance: random.Random, text: str) -> bytes:
    """Return TOML that may or may not be a configuration or study."""
    lines = text.splitlines()
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
        place = chance.randrange(len(lines))
        choice = chance.randrange(9)
        key, sign, _ = lines[place].partition("=")
        if choice < 5 and sign:
            lines[place] = f"{key}= {chance.choice(VALUES)}"
        elif choice == 5:
            lines.insert(place, lines[chance.randrange(len(lines))])
        elif choice == 6:
            del lines[place]
            lines = lines or [""]
        elif choice == 7:
            lines.insert(place, f"{chance.choice(['x', 'a.' * 5000 + 'b', 'y' * 9999])} = 1")
        else:
            lines[place] = lines[place].replace("]", "x]").replace("s", "z", 1)
    end = chance.choice(["\n"] * 6 + ["\r\n", "\r"])
    encoding = chance.choice(["utf-8"] * 9 + ["utf-8-sig", "utf-16", "utf-32"])
    content = (end.join(lines) + end).encode(encoding)
    return damaged(chance, content) if chance.random() < 0.15 else content


def hostile_table(chance: random.Random, rows: int) -> bytes:
    """Return two columns that may or may not be an error table."""
    lines = [f"{chance.randint(0, 14) / 2} {chance.randint(0, 14) / 2}" for _ in range(rows)]
    for _ in range(chance.choice([0, 1, 1, 2])):
        odd = ["1", "1 2 3", "x 1", "nan 1", "inf 0", "-1 0", "1,2", "# x", "", "9" * 9999 + " 1",
               "1 8", "\x1b[2J 1", "1 2 # three", "0x1 0x2", "1e-400 1", "\u0661 1"]  # fmt: skip
        lines[chance.randrange(len(lines))] = chance.choice(odd)
    content = ("\n".join(lines) + "\n").encode(
        chance.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"])
    )
    return damaged(chance, content) if chance.random() < 0.2 else content


# -- not a file ------------------------------------------------------------------------------


def make_odd(chance: random.Random, path: Path) -> str:
    """Create something other than a file at `path`, or return another path that is no file."""
    choices: list[Callable[[], object]] = [
        lambda: os.mkfifo(path),
        lambda: path.mkdir(),
        lambda: path.symlink_to("nowhere"),
        lambda: path.symlink_to(path.name),
        lambda: path.symlink_to("/dev/zero"),
        lambda: path.symlink_to("/dev/tty"),
        lambda: path.symlink_to("/proc/self/mem"),
        # An empty file would be a valid configuration, the default one.
        lambda: path.write_bytes(b"\0"),
        lambda: None,
    ]
    if chance.random() < 0.6:
        chance.choice(choices)()
        return path.name
    return chance.choice(
        ["/dev/zero", "/dev/null", "/dev/stdin", "/dev/full", "/", ".", "..", "", "/proc/self/fd/0",
         "x" * 300, "y/" * 2000 + "z", "none.npz", "none/none.toml", "[/x].npz", "\x1b[2J.aer",
         "a\nb.toml", "/proc/self/environ", "/proc/self/maps", "--", "-", "\udcff.npz",
         "tiny.toml/x"]
    )  # fmt: skip
