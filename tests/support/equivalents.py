"""The changes by rule that no golden set can notice, by the reason; see `mutants`."""

from __future__ import annotations

EQUIVALENT: dict[str, tuple[str, ...]] = {
    "The two statements do not depend on each other.": (
        ("exchanged: self.width, self.of_lane, self.leap = (told['width'], told['of_lane'], leap)"),
        "exchanged: self.exponents = [(0, *taps[1:]) for taps in told['taps']]",
        (
            "exchanged: self.streams = [[state >> k & 1 for k in range(self.width)] for "
            "state in start]"
        ),
        "exchanged: bits, exponents = (self.streams[register], self.exponents[register])",
        "exchanged: self.told, self.given, self.c = (told, given, told['constants'])",
        "exchanged: self.run, self.learns = (told['run'], told['run']['learns'])",
        "exchanged: self.counters = dict.fromkeys(told['counters'], 0)",
        "exchanged: self.seen: dict[str, list[Any]] = {}",
        (
            "exchanged: self.noise = Registers(told['lfsrs']['noise'], "
            "given['noise_lfsr_start'], told['noise']['leap'])"
        ),
        "exchanged: if 'update' in told['lfsrs']:",
        "exchanged: self.signature = Signature(self.run['lanes'])",
        "exchanged: self.weights = given['initial_weight'].copy()",
        "exchanged: for name in ('I', 'V'):",
        "exchanged: for name in ('c', 'eps'):",
        "exchanged: for source in (self.noise, self.update):",
        "exchanged: noise = self.told['noise']",
        "exchanged: slot, lane = divmod(neuron, self.run['lanes'])",
        "exchanged: if noise['kind'] == 'inverse_cdf':",
        "exchanged: if noise['kind'] == 'popcount':",
        "exchanged: c, run = (self.c, self.run)",
        "exchanged: kept = self.held(before + noise * c['keep_noise'], low, high, 'membrane')",
        "exchanged: if not self.learns:",
        "exchanged: error = self.held(error, c['error_low'], c['error_high'], 'error')",
        "exchanged: c, run = (self.c, self.run)",
        "exchanged: fine >>= phase['rate_right']",
        (
            "exchanged: found['final_synaptic_current'], found['final_membrane'] = "
            "(self.state['I'], self.state['V'])"
        ),
        "exchanged: found['final_synaptic_trace'] = self.state['c']",
        "exchanged: found['final_psp_trace'] = self.state['eps']",
    ),
    "Positions, indexes and counts stay below 2^31 in any run that a set can hold.": (
        "position = NARROW(draw * self.leap)",
        "while len(bits) < NARROW(position + count):",
        ("return sum((bit << k for k, bit in enumerate(bits[position:NARROW(position + count)])))"),
        "n = NARROW(len(bits) - self.width)",
        "bits.append(functools.reduce(operator.xor, (bits[NARROW(n + e)] for e in exponents)))",
        "return self.read(self.of_lane[lane], NARROW(self.draws + draw), count)",
        "self.lanes = NARROW([0] * lanes)",
        "for row in weights[:, i:NARROW(i + len(self.lanes))]:",
        "return NARROW(len(self.told['phases']) - 1)",
        "bits = self.noise.of(lane, slot, NARROW(words * word_bits))",
        "total = sum((bits >> NARROW(k * word_bits) & mask for k in range(words)))",
        "index = NARROW(np.clip(index, -c['half_bins'], c['half_bins'] - 1) + c['half_bins'])",
        "self.update.draws += NARROW(run['slots'] * run['inputs'])",
        "fine[j, i] += self.update.of(lane, NARROW(slot * run['inputs'] + j), bits)",
        "fine[j, i] += self.update.of(lane, NARROW(slot * run['inputs']) + j, bits)",
    ),
    "The value fits in 32 bits in every legal configuration.": (
        "self.lanes[lane] = NARROW(state << 1) & 4294967295 ^ polynomial ^ value & 4294967295",
        "self.state[name] = NARROW(self.state[name] * (not cleared['state']))",
        "self.state[name] = NARROW(self.state[name] * (not cleared['trace']))",
        "mask = NARROW((1 << word_bits) - 1)",
        "mask = NARROW(1 << word_bits) - 1",
        "return NARROW(2 * total - words * mask)",
        "return NARROW(2 * total) - words * mask",
        "return 2 * total - NARROW(words * mask)",
        "return NARROW(2 * bits.bit_count() - words * word_bits)",
        "return NARROW(2 * bits.bit_count()) - words * word_bits",
        "return 2 * bits.bit_count() - NARROW(words * word_bits)",
        "self.signature.take(before ^ NARROW(spike.astype(np.int64) << 31))",
        "reset = NARROW(2 * target) >= c['target_one'] if c['teacher_reset'] else spike",
        "index = np.clip(index, -c['half_bins'], NARROW(c['half_bins'] - 1)) + c['half_bins']",
        "exact = target * a - NARROW(c['target_one'] - target) * b",
        "return NARROW(psp[:, None] * error)",
    ),
    "The value is never negative, so rounding toward zero is the floor.": (
        "polynomial = 79764919 if TOWARD_ZERO(state, 31) else 0",
        "found ^= (turned | TOWARD_ZERO(turned, 32)) & 4294967295",
        "total = sum((TOWARD_ZERO(bits, k * word_bits) & mask for k in range(words)))",
    ),
    "Both words have no common bits, or the lowest bit is 0 after the left shift.": (
        "self.lanes[lane] = state << 1 & 4294967294 ^ polynomial ^ value & 4294967295",
        "found ^= (turned ^ turned >> 32) & 4294967295",
    ),
    "One more bit of a stream is generated than is read.": (
        "while len(bits) <= position + count:",
    ),
    "A negative index of Python counts from the end of the table.": (
        "index = np.clip(index, -c['half_bins'], c['half_bins'] - 1) - c['half_bins']",
    ),
    "Numbers below 0 select the first phase, as 0 does.": (
        "learned, end = (w if self.learns else -1, 0)",
    ),
    "It would fail on a set that has no targets, or adds arrays that the set does not hold.": (
        "target = self.given['target'][w, t]",
        "if True:",
    ),
}
"""The first line of each wrong statement."""
