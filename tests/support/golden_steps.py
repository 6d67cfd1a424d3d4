"""The algorithm of docs/golden.md, computed from a set's inputs and manifest alone."""

from __future__ import annotations

import functools
import json
import operator
from pathlib import Path
from typing import Any

import numpy as np


def manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a set."""
    told = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert isinstance(told, dict)
    return told


def arrays_of(folder: Path) -> dict[str, np.ndarray]:
    """Read all arrays; LFSR states become Python integers."""
    arrays = {}
    for entry in manifest(folder)["arrays"]:
        values = [int(word) for word in (folder / entry["file"]).read_text("ascii").split()]
        kind = object if entry["unit"] == "state" else np.int64
        arrays[entry["name"]] = np.array(values, kind).reshape(entry["shape"])
    return arrays


class Registers:
    """The bit streams of a source's LFSRs, generated bit by bit."""

    def __init__(self, told: dict[str, Any], start: np.ndarray, leap: int) -> None:
        self.width, self.of_lane, self.leap = told["width"], told["of_lane"], leap
        self.exponents = [(0, *taps[1:]) for taps in told["taps"]]
        self.streams = [[state >> k & 1 for k in range(self.width)] for state in start]
        self.draws = 0

    def read(self, register: int, draw: int, count: int) -> int:
        bits, exponents = self.streams[register], self.exponents[register]
        position = draw * self.leap
        while len(bits) < position + count:
            n = len(bits) - self.width
            bits.append(functools.reduce(operator.xor, (bits[n + e] for e in exponents)))
        return sum(bit << k for k, bit in enumerate(bits[position : position + count]))

    def of(self, lane: int, draw: int, count: int) -> int:
        return self.read(self.of_lane[lane], self.draws + draw, count)

    def states(self) -> np.ndarray:
        found = [self.read(k, self.draws, self.width) for k in range(len(self.streams))]
        return np.array(found, object)


class Signature:
    """The signature of a run: one register of 32 bits for each lane."""

    def __init__(self, lanes: int) -> None:
        self.lanes = [0] * lanes

    def take(self, values: np.ndarray) -> None:
        """Take one value of each neuron, neuron by neuron."""
        for i, value in enumerate(values.tolist()):
            lane = i % len(self.lanes)
            state = self.lanes[lane]
            polynomial = 0x04C11DB7 if state >> 31 else 0
            self.lanes[lane] = (state << 1 & 0xFFFFFFFF) ^ polynomial ^ (value & 0xFFFFFFFF)

    def take_weights(self, weights: np.ndarray) -> None:
        """Take the new weights: slot by slot, and within a slot input by input."""
        for i in range(0, weights.shape[1], len(self.lanes)):
            for row in weights[:, i : i + len(self.lanes)]:
                self.take(row)

    def value(self) -> int:
        found = 0
        for lane, state in enumerate(self.lanes):
            turned = state << lane % 32
            found ^= (turned | turned >> 32) & 0xFFFFFFFF
        return found


class Again:
    """A run computed from the inputs and the manifest of a set, without bitlif."""

    def __init__(self, told: dict[str, Any], given: dict[str, np.ndarray]) -> None:
        self.told, self.given, self.c = told, given, told["constants"]
        self.run, self.learns = told["run"], told["run"]["learns"]
        self.counters = dict.fromkeys(told["counters"], 0)
        self.seen: dict[str, list[Any]] = {}
        self.noise = Registers(
            told["lfsrs"]["noise"], given["noise_lfsr_start"], told["noise"]["leap"]
        )
        self.update = None
        if "update" in told["lfsrs"]:
            start = given["update_lfsr_start"]
            self.update = Registers(told["lfsrs"]["update"], start, told["update"]["leap"])
        self.signature = Signature(self.run["lanes"])
        self.weights = given["initial_weight"].copy()
        zeros = {"neurons": ("I", "V"), "inputs": ("c", "eps")}
        self.state = {
            name: np.zeros(self.run[size], np.int64) for size, own in zeros.items() for name in own
        }
        for w in range(self.run["windows"]):
            self.window(w)

    def note(self, name: str, value: Any) -> None:
        self.seen.setdefault(name, []).append(np.array(value))

    def held(self, value: np.ndarray, low: int, high: int, counter: str) -> np.ndarray:
        kept = np.clip(value, low, high)
        self.counters[f"{counter}_saturations"] += int((kept != value).sum())
        return kept

    def filter(self, name: str, state: str, taken: np.ndarray, counter: str) -> np.ndarray:
        f = self.c[name]
        exact = (f["keep"] * self.state[state] + f["take"] * taken + f["bias"]) >> f["shift"]
        self.state[state] = self.held(exact, f["low"], f["high"], counter)
        return self.state[state]

    def window(self, w: int) -> None:
        run, cleared = self.run, self.told["cleared"]
        for name in ("I", "V"):
            self.state[name] = self.state[name] * (not cleared["state"])
        for name in ("c", "eps"):
            self.state[name] = self.state[name] * (not cleared["trace"])
        for source in (self.noise, self.update):
            if source and cleared["lfsr"]:
                source.draws = 0
        number = self.phase(w)
        self.note("phase", number)
        gradient = np.zeros((run["inputs"], run["neurons"]), np.int64)
        for t in range(run["steps"]):
            gradient += self.step(w, t, self.told["phases"][number])
        if self.learns:
            self.note("gradient", gradient)
            self.learn(gradient, self.told["phases"][number])
            self.note("weight", self.weights)
            self.signature.take_weights(self.weights)
        self.note("signature", self.signature.value())
        self.note("noise_lfsr", self.noise.states())
        if self.update:
            self.note("update_lfsr", self.update.states())

    def phase(self, w: int) -> int:
        learned, end = w if self.learns else 0, 0
        for number, phase in enumerate(self.told["phases"]):
            end += phase["windows"]
            if learned < end or not phase["windows"]:
                return number
        return len(self.told["phases"]) - 1

    def draw(self, neuron: int) -> int:
        noise = self.told["noise"]
        slot, lane = divmod(neuron, self.run["lanes"])
        word_bits, words = noise["word_bits"], noise["words"]
        bits = self.noise.of(lane, slot, words * word_bits)
        if noise["kind"] == "inverse_cdf":
            return int(self.given["noise_quantile"][bits])
        if noise["kind"] == "popcount":
            return 2 * bits.bit_count() - words * word_bits
        mask = (1 << word_bits) - 1
        total = sum(bits >> k * word_bits & mask for k in range(words))
        return 2 * total - words * mask

    def step(self, w: int, t: int, phase: dict[str, int]) -> np.ndarray:
        c, run = self.c, self.run
        spikes = self.given["input_spike"][w, t]
        total = spikes @ self.weights
        self.note("weight_sum", total)
        current = self.filter("current", "I", total, "current")
        self.note("synaptic_current", current)
        before = self.filter("membrane", "V", current, "membrane")
        self.note("membrane_potential", before)
        draws = np.array([self.draw(i) for i in range(run["neurons"])])
        self.noise.draws += run["slots"]
        self.note("noise_draw", draws)
        noise = (phase["noise_scale"] * draws + c["noise_bias"]) >> c["noise_shift"]
        spike = before + noise >= c["threshold"]
        self.note("spike", spike)
        self.signature.take(before ^ spike.astype(np.int64) << 31)
        self.note("signature_by_step", self.signature.value())
        low, high = c["membrane"]["low"], c["membrane"]["high"]
        kept = self.held(before + noise * c["keep_noise"], low, high, "membrane")
        target = self.given["target"][w, t] if "target" in self.given else None
        reset = 2 * target >= c["target_one"] if c["teacher_reset"] else spike
        self.state["V"] = np.where(reset, 0, kept)
        self.note("kept_membrane", self.state["V"])
        if not self.learns:
            return np.zeros(1, np.int64)
        index = ((before - c["threshold"]) * phase["reciprocal"]) >> c["bin_shift"]
        index = np.clip(index, -c["half_bins"], c["half_bins"] - 1) + c["half_bins"]
        a, b = (self.given[f"error_table_{name}"][index] for name in "ab")
        exact = target * a - (c["target_one"] - target) * b
        error = (exact + c["error_bias"]) >> c["error_shift"]
        error = self.held(error, c["error_low"], c["error_high"], "error")
        self.counters["active_errors"] += int((error != 0).sum())
        self.note("error", error)
        synaptic = self.filter("trace_current", "c", spikes, "synaptic_trace")
        self.note("synaptic_trace", synaptic)
        psp = self.filter("trace", "eps", synaptic, "trace")
        self.note("psp_trace", psp)
        return psp[:, None] * error

    def learn(self, gradient: np.ndarray, phase: dict[str, int]) -> None:
        c, run = self.c, self.run
        fine = (phase["rate"] * gradient << phase["rate_left"]) + phase["rate_bias"]
        fine >>= phase["rate_right"]
        bits = c["random_bits"]
        if self.update:
            for j, i in np.ndindex(gradient.shape):
                slot, lane = divmod(i, run["lanes"])
                fine[j, i] += self.update.of(lane, slot * run["inputs"] + j, bits)
            self.update.draws += run["slots"] * run["inputs"]
        changed = self.weights + (fine >> bits)
        self.weights = self.held(changed, c["weight_low"], c["weight_high"], "weight")

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all arrays but inputs, constants and clock cycles."""
        shapes = {entry["name"]: entry["shape"] for entry in self.told["arrays"]}
        found = {name: np.array(rows).reshape(shapes[name]) for name, rows in self.seen.items()}
        found["final_synaptic_current"], found["final_membrane"] = self.state["I"], self.state["V"]
        if self.learns:
            found["final_synaptic_trace"] = self.state["c"]
            found["final_psp_trace"] = self.state["eps"]
            found["final_weight"] = self.weights
        return found
