"""The planted mistakes by name: what is wrong, where it must show first, and the changed text."""

from __future__ import annotations

from planted import Mistake

SCALED = 'phase["noise_scale"] * draws'
NOISE = '(phase["noise_scale"] * draws + c["noise_bias"]) >> c["noise_shift"]'
DISTANCE = '(before - c["threshold"]) * phase["reciprocal"]'
PLACE = f'({DISTANCE}) >> c["bin_shift"]'
INDEX = 'np.clip(index, -c["half_bins"], c["half_bins"] - 1) + c["half_bins"]'
KEPT = 'self.held(before + noise * c["keep_noise"], low, high, "membrane")'
DRAW = "bits = self.noise.of(lane, slot, words * word_bits)"
UPDATE_DRAW = 'self.update.of(lane, slot * run["inputs"] + j, bits)'
ERROR = '(exact + c["error_bias"]) >> c["error_shift"]'
KEEP, TAKE = 'f["keep"] * self.state[state]', 'f["take"] * taken'
ROUND = ' + f["bias"]) >> f["shift"]'
FILTER = f"({KEEP} + {TAKE}{ROUND}"
HELD = "kept = np.clip(value, low, high)"
FINE = '(phase["rate"] * gradient << phase["rate_left"]) + phase["rate_bias"]'
CHANGE = "changed = self.weights + (fine >> bits)"
RESET = 'reset = 2 * target >= c["target_one"] if c["teacher_reset"] else spike'
PSP = 'psp = self.filter("trace", "eps", synaptic, "trace")'
SUMS = 'current = self.filter("current", "I", total, "current")'
BEFORE = 'before = self.filter("membrane", "V", current, "membrane")'
NEGATIVE = "np.where({x} < 0, -(-({x}) >> {s}), ({x}) >> {s})"
"""A shift that rounds toward zero, as the division of C does."""


def toward_zero(exact: str, shift: str) -> str:
    return NEGATIVE.format(x=f"({exact})", s=shift)


def by_magnitude(exact: str, bias: str, shift: str) -> str:
    return f"np.sign({exact}) * ((abs({exact}) + {bias}) >> {shift})"


ISSUE = {
    "negative-noise": Mistake(
        "negative noise is rounded toward zero, as by a division of C", "kept_membrane",
        ((NOISE, toward_zero(SCALED + ' + c["noise_bias"]', 'c["noise_shift"]')),),
    ),
    "noise-halves": Mistake(
        "halves of negative noise are rounded away from zero", "kept_membrane",
        ((NOISE, by_magnitude(SCALED, 'c["noise_bias"]', 'c["noise_shift"]')),),
    ),
    "last-bin": Mistake(
        "the table ends one bin early", "error", ((INDEX, INDEX.replace("- 1", "- 2")),)
    ),
    "hold": Mistake(
        "the membrane with its noise is not limited", "kept_membrane",
        ((KEPT, 'before + noise * c["keep_noise"]'),),
    ),
    "empty-slot-draws": Mistake(
        "a slot without a neuron takes no noise draw", "noise_draw",
        ((DRAW, (
            'own = len(range(lane, self.run["neurons"], self.run["lanes"]))\n'
            '        number = self.noise.draws // self.run["slots"] * own + slot\n'
            "        bits = self.noise.read(self.noise.of_lane[lane], number, words * word_bits)"
        )),),
    ),
    "empty-slot-update": Mistake(
        "a slot without a neuron takes no update draw", "weight",
        ((UPDATE_DRAW, (
            "self.update.read(self.update.of_lane[lane], "
            'self.update.draws // run["slots"] * len(range(lane, run["neurons"], run["lanes"])) '
            '+ slot * run["inputs"] + j, bits)'
        )),),
    ),
    "rate-left": Mistake(
        "the left shift of the rate is left out", "weight",
        ((FINE, FINE.replace(' << phase["rate_left"]', "")),),
    ),
    "carried-state": Mistake(
        "the state is always cleared", "synaptic_current",
        (('self.state[name] * (not cleared["state"])', "self.state[name] * 0"),),
    ),
    "carried-trace": Mistake(
        "the traces are always cleared", "synaptic_trace",
        (('self.state[name] * (not cleared["trace"])', "self.state[name] * 0"),),
    ),
    "cleared-lfsr": Mistake(
        "LFSRs are never cleared", "noise_draw", (('if source and cleared["lfsr"]', "if False"),)
    ),
    "phase-sigma": Mistake(
        "a new phase does not change sigma", "spike",
        (('(w, t, self.told["phases"][number])', '(w, t, self.told["phases"][0])'),),
    ),
    "phase-rate": Mistake(
        "a new phase does not change the rate", "weight",
        (('(gradient, self.told["phases"][number])', '(gradient, self.told["phases"][0])'),),
    ),
}  # fmt: skip
"""The mistakes that the ready-made configurations miss in three windows."""

OTHERS = {
    "noise-floor": Mistake(
        "noise is rounded down", "spike", ((NOISE, NOISE.replace(' + c["noise_bias"]', "")),)
    ),
    "first-bin": Mistake(
        "the table begins one bin late", "error",
        ((INDEX, INDEX.replace('-c["half_bins"],', '1 - c["half_bins"],')),),
    ),
    "bins-wrap": Mistake(
        "bins outside the table wrap around", "error",
        ((INDEX, '(index + c["half_bins"]) % (2 * c["half_bins"])'),),
    ),
    "bin-toward-zero": Mistake(
        "bins are rounded toward zero", "error",
        ((PLACE, toward_zero(DISTANCE, 'c["bin_shift"]')),),
    ),
    "bin-after-reset": Mistake(
        "the error reads the membrane after its reset", "error",
        (('index = ((before -', 'index = ((self.state["V"] -'),),
    ),
    "bin-with-noise": Mistake(
        "the error reads the membrane with its noise", "error",
        (("index = ((before -", "index = ((before + noise -"),),
    ),
    "hold-wraps": Mistake(
        "the membrane with its noise wraps around", "kept_membrane",
        ((KEPT, '(before + noise * c["keep_noise"] - low) % (high - low + 1) + low'),),
    ),
    "noise-not-kept": Mistake(
        "the noise is never added to the membrane", "kept_membrane",
        ((KEPT, KEPT.replace('noise * c["keep_noise"]', "0")),),
    ),
    "threshold": Mistake(
        "a membrane at the threshold does not spike", "spike",
        (("before + noise >=", "before + noise >"),),
    ),
    "teacher-half": Mistake(
        "a target of one half does not reset", "kept_membrane", ((RESET, RESET.replace(">=", ">")),)
    ),
    "teacher-ignored": Mistake(
        "neurons are always reset by their own spikes", "kept_membrane", ((RESET, "reset = spike"),)
    ),
    "teacher-also": Mistake(
        "the own spike resets as well as the teacher", "kept_membrane",
        ((RESET, RESET.replace("2 * target", "spike | (2 * target").replace(" if", ") if")),),
    ),
    "reset-by-subtraction": Mistake(
        "a reset subtracts the threshold", "kept_membrane",
        (("np.where(reset, 0, kept)", 'kept - np.where(reset, c["threshold"], 0)'),),
    ),
    "membrane-first": Mistake(
        "the membrane takes the current of the step before", "membrane_potential",
        ((SUMS, f'old = self.state["I"]\n        {SUMS}'),
         (BEFORE, BEFORE.replace("current, ", "old, "))),
    ),
    "psp-late": Mistake(
        "the gradient takes the PSP trace of the step before", "gradient",
        ((PSP, f'old = self.state["eps"]\n        {PSP}'),
         ("return psp[:, None]", "return old[:, None]")),
    ),
    "psp-first": Mistake(
        "the PSP trace takes the synaptic trace of the step before", "psp_trace",
        (('synaptic = self.filter(', 'old = self.state["c"]\n        synaptic = self.filter('),
         (PSP, PSP.replace("synaptic,", "old,"))),
    ),
    "filter-toward-zero": Mistake(
        "negative leaky sums are rounded toward zero", "synaptic_current",
        ((FILTER, toward_zero(f'{KEEP} + {TAKE} + f["bias"]', 'f["shift"]')),),
    ),
    "filter-halves": Mistake(
        "halves of negative leaky sums are rounded away from zero", "synaptic_current",
        ((FILTER, by_magnitude(f"({KEEP} + {TAKE})", 'f["bias"]', 'f["shift"]')),),
    ),
    "filter-rounds-twice": Mistake(
        "both products of a leaky sum are rounded", "membrane_potential",
        ((FILTER, f"(({KEEP}{ROUND}) + (({TAKE}{ROUND})"),),
    ),
    "values-wrap": Mistake(
        "values out of range wrap around", "synaptic_current",
        ((HELD, "kept = (value - low) % (high - low + 1) + low"),),
    ),
    "symmetric": Mistake(
        "signed formats end at -(2^n - 1)", "synaptic_current",
        ((HELD, "kept = np.clip(value, low if low == 0 else -high, high)"),),
    ),
    "error-toward-zero": Mistake(
        "negative errors are rounded toward zero", "error",
        ((ERROR, toward_zero('exact + c["error_bias"]', 'c["error_shift"]')),),
    ),
    "error-halves": Mistake(
        "halves of negative errors are rounded away from zero", "error",
        ((ERROR, by_magnitude("exact", 'c["error_bias"]', 'c["error_shift"]')),),
    ),
    "error-rounds-twice": Mistake(
        "both terms of the error are rounded", "error",
        (("target * a - ", '(target * a >> c["error_shift"] << c["error_shift"]) - '),),
    ),
    "target-complement": Mistake(
        "1 - q is computed by inverting bits", "error",
        (('(c["target_one"] - target) * b', '(c["target_one"] - 1 - target) * b'),),
    ),
    "update-toward-zero": Mistake(
        "weight changes are rounded toward zero", "weight",
        ((CHANGE, f"changed = self.weights + {toward_zero('fine', 'bits')}"),),
    ),
    "update-halves": Mistake(
        "halves of negative updates are rounded away from zero", "weight",
        ((FINE, FINE.replace(' + phase["rate_bias"]', " + 0")),
         ('fine >>= phase["rate_right"]',
          "fine = " + by_magnitude("fine", 'phase["rate_bias"]', 'phase["rate_right"]'))),
    ),
    "update-floor": Mistake(
        "the update is rounded down below its random bits", "weight",
        ((FINE, FINE.replace(' + phase["rate_bias"]', " + 0")),),
    ),
    "update-by-input": Mistake(
        "update draws run input by input, not slot by slot", "weight",
        ((UPDATE_DRAW, 'self.update.of(lane, j * run["slots"] + slot, bits)'),),
    ),
    "update-by-neuron": Mistake(
        "one draw serves all synapses of a neuron", "weight",
        ((UPDATE_DRAW, 'self.update.of(lane, slot * run["inputs"], bits)'),),
    ),
    "update-one-lane": Mistake(
        "all lanes of the update read the first register", "weight",
        ((UPDATE_DRAW, 'self.update.read(0, self.update.draws + slot * run["inputs"] + j, bits)'),),
    ),
    "blocks-of-neurons": Mistake(
        "neighbouring neurons share a lane", "noise_draw",
        (('slot, lane = divmod(neuron, self.run["lanes"])',
          'lane, slot = divmod(neuron, self.run["slots"])'),),
    ),
    "bits-reversed": Mistake(
        "the first bit of a draw is its highest", "noise_draw",
        (("sum(bit << k for k, bit in enumerate(bits[position : position + count]))",
          "sum(bit << count - 1 - k for k, bit in enumerate(bits[position : position + count]))"),),
    ),
    "taps-mirrored": Mistake(
        "LFSRs run with the mirrored polynomial", "noise_draw",
        (("(0, *taps[1:])", '(0, *(told["width"] - tap for tap in taps[1:]))'),),
    ),
    "leap-ignored": Mistake(
        "the next draw follows the bits of the last one, whatever the leap", "noise_draw",
        (("position = draw * self.leap", "position = draw * min(self.leap, 8)"),),
    ),
    "phase-early": Mistake(
        "a phase ends one window early", "phase", (("learned < end", "learned + 1 < end"),)
    ),
    "phase-late": Mistake(
        "a phase ends one window late", "phase", (("learned < end", "learned <= end"),)
    ),
    "phases-repeat": Mistake(
        "after the last phase the first one returns", "phase",
        (('return len(self.told["phases"]) - 1', "return 0"),),
    ),
    "inference-advances": Mistake(
        "windows without learning advance the schedule", "phase",
        (("w if self.learns else 0", "w"),),
    ),
    "update-lfsr-kept": Mistake(
        "only the noise LFSRs are cleared", "weight",
        (("for source in (self.noise, self.update):", "for source in (self.noise,):"),),
    ),
    "weights-early": Mistake(
        "each update starts from the initial weights of the run", "weight",
        ((CHANGE, 'changed = self.given["initial_weight"] + (fine >> bits)'),),
    ),
    "gradient-32": Mistake(
        "the gradient has 32 bits", "gradient",
        (('self.note("gradient", gradient)',
          'gradient = NARROW(gradient)\n            self.note("gradient", gradient)'),),
    ),
    "product-32": Mistake(
        "the product of rate and gradient has 32 bits", "weight",
        ((FINE, FINE.replace('phase["rate"] * gradient', 'NARROW(phase["rate"] * gradient)')),),
    ),
    "filter-32": Mistake(
        "leaky sums have 32 bits before their shift", "membrane_potential",
        ((FILTER, f"NARROW{FILTER}"),),
    ),
    "noise-32": Mistake(
        "scaled noise has 32 bits before its shift", "spike",
        ((NOISE, f"NARROW{NOISE}"),),
    ),
    "distance-32": Mistake(
        "the scaled distance to the threshold has 32 bits", "error",
        ((PLACE, f"NARROW{PLACE}"),),
    ),
    "signature-spike": Mistake(
        "the signature takes no spikes", "signature_by_step",
        (("before ^ spike.astype(np.int64) << 31", "before"),),
    ),
    "signature-order": Mistake(
        "the signature takes weights input by input, not slot by slot", "signature",
        (('self.signature.take_weights(self.weights)',
          '[self.signature.take(row) for row in self.weights]'),),
    ),
    "signature-rotation": Mistake(
        "registers of lanes above 31 are not rotated", "signature",
        (("state << lane % 32", "state << (lane if lane < 32 else 0)"),),
    ),
    "signature-cleared": Mistake(
        "the signature starts at 0 in every window", "signature_by_step",
        (("number = self.phase(w)",
          'self.signature = Signature(run["lanes"])\n        number = self.phase(w)'),),
    ),
}  # fmt: skip
"""Further mistakes."""

MISTAKES = ISSUE | OTHERS
