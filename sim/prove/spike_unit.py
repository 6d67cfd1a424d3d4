"""The update of a slot by a spike during a sweep, with its row, its lanes and their LFSRs."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out

from bitlif.hdl import sweep_pass
from bitlif.hdl.fixed import shape_of
from bitlif.hdl.loadable import swept_update
from bitlif.hdl.update import UpdatePipe
from bitlif.model import sweep_gradient
from bitlif.model.config.network import NetworkConfig
from bitlif.model.derive import derive
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.interval import Interval

from .symbol import Integer
from .unit import ALWAYS, Claim, PlainUnit, Run, array, unsigned, used


class SpikeRow(Component):
    """The update by spikes, with a port for each weight and each adjoint current of a row.

    Parameters
    ----------
    config : NetworkConfig
    number : int
        Of the layer.

    Members
    -------
    weight_0, current_0, … : In
    rate, shift : In
    written_0, … : Out
        Weights of the lanes.
    saturated : Out(lanes)
    """

    def __init__(self, config: NetworkConfig, number: int) -> None:
        own = config.layers[number]
        self._count, self._lanes = gate_sizes(own.config).synapses, own.config.layer.lanes
        self.inner = used(sweep_pass, "SpikeUpdate")(config, number, 1, 1)
        weight = shape_of(own.config.synapse.weight)
        members: dict[str, Any] = {
            "rate": In(self.inner.rate.shape()), "shift": In(self.inner.shift.shape()),
            "saturated": Out(self._lanes),
        }  # fmt: skip
        for place in range(self._count):
            members[f"weight_{place}"] = In(weight)
            members[f"current_{place}"] = In(shape_of(own.sweep.current))
        members |= {f"written_{lane}": Out(weight) for lane in range(self._lanes)}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Connect the update."""
        m = Module()
        m.submodules.inner = inner = self.inner
        m.d.comb += [
            inner.rate.eq(self.rate),
            inner.shift.eq(self.shift),
            self.saturated.eq(inner.weight_saturated),
        ]
        for place in range(self._count):
            m.d.comb += [
                inner.weight_row[place].eq(getattr(self, f"weight_{place}")),
                inner.currents[place].eq(getattr(self, f"current_{place}")),
            ]
        for lane in range(self._lanes):
            m.d.comb += getattr(self, f"written_{lane}").eq(inner.update_data[lane])
        return m


class SpikeUpdateUnit(PlainUnit):
    """One spike and one slot: `bitlif.model.sweep_gradient.update_step` of its neurons.

    A row of one slot is updated as it is read; of a row of more slots, all after the first are
    those of the row that was kept.

    Parameters
    ----------
    config : NetworkConfig
    number : int
        Of the layer.
    shift, part : int
        Which of the right shifts of the schedule's phases, and which slot of the row.
    """

    def __init__(self, config: NetworkConfig, number: int, shift: int, part: int) -> None:
        self._config, self._number = config, number
        own, swept = config.layers[number], config.derived_sweep(number)
        self._own, self._phase = own.config, swept.phases[0]
        self._shift = swept_update(swept).shifts[shift]
        self.name = f"layer_{number}_spike_update_{shift}_{part}"
        learning, sizes = own.config.learning, gate_sizes(own.config)
        self._lanes, self._part = sizes.lanes, part
        self._streams = learning.lfsr.registers(sizes.lanes)[1] if learning.random_bits else ()
        weight, current = Interval.of(own.config.synapse.weight), Interval.of(own.sweep.current)
        self.given = {"rate": unsigned(learning.rate_bits), "shift": Interval.point(shift)}
        self.ports = {"rate": ("rate", ALWAYS), "shift": ("shift", ALWAYS)}
        for place in range(sizes.synapses):
            self.given |= {f"weight {place}": weight, f"adjoint current {place}": current}
            self.ports |= {
                f"weight_{place}": (f"weight {place}", 0),
                f"current_{place}": (f"adjoint current {place}", 0),
            }
        # The first slot of a row finds its weights as they are read, the others as they were kept.
        self.given |= {
            "slot of the row": Interval.point(part), "first of the row": Interval.point(part == 0),
        }  # fmt: skip
        self.registers = {"first_part_2": "first of the row"}
        if sizes.row_slots > 1:
            self.registers["part_2"] = "slot of the row"
            bits = own.config.synapse.weight.bits
            self.given |= {f"kept {place}": unsigned(bits) for place in range(sizes.synapses)}
            self.registers["kept_row"] = "row that was kept"
        for stream in sorted(set(self._streams)):
            self.given[f"random bits {stream}"] = unsigned(learning.random_bits)
            self.given[f"later bits {stream}"] = unsigned(
                learning.lfsr.width - learning.random_bits
            )
            self.registers[f"update_lfsr_{stream}.register"] = f"LFSR {stream}"
        lanes = range(sizes.lanes)
        self.cuts = tuple(
            Claim(f"weight of lane {lane} before", f"update_{lane}.weight_1", 1) for lane in lanes
        )
        last = UpdatePipe.latency
        self.claims = (
            *(Claim(f"weight of lane {lane}", f"written_{lane}", last) for lane in lanes),
            *(
                Claim(f"saturation of lane {lane}", "saturated", last, bits=(lane,))
                for lane in lanes
            ),
        )

    def component(self) -> Any:
        """Return the update of all lanes."""
        return SpikeRow(self._config, self._number)

    def _before(self, values: Mapping[str, Integer], lane: int) -> Integer:
        """Return the weight of a lane: one that is read, or one that was kept."""
        place, bits = self._part * self._lanes + lane, self._own.synapse.weight.bits
        if self._part == 0:
            return values[f"weight {place}"]
        kept = values[f"kept {place}"]
        return kept - ((kept >> (bits - 1)) << bits)

    def model(self, values: Mapping[str, Integer], run: Run) -> dict[str, Integer]:
        """Update the weights of a slot."""
        lanes, c = range(self._lanes), derive(self._own).constants
        left, bias, right = self._shift
        phase = self._phase._replace(
            rate=values["rate"], rate_left=left, rate_bias=bias, rate_right=right
        )
        found: dict[str, Integer] = {}
        for lane in lanes:
            before = self._before(values, lane)
            random = values[f"random bits {self._streams[lane]}"] if self._streams else 0
            current = values[f"adjoint current {self._part * self._lanes + lane}"]
            row = array(before)
            # The second spike of a window, as the draws of the first are made anew.
            sweep = SimpleNamespace(
                updates=[None, array(random)], current=array(current), update_words=0
            )
            count = run(sweep_gradient.update_step)(
                sweep, [0], 0, 1, 1, 2, [row], None, 1, 2, phase, c
            )
            found |= {
                f"weight of lane {lane} before": before, f"weight of lane {lane}": row[0],
                f"saturation of lane {lane}": count,
            }  # fmt: skip
        for stream in set(self._streams):
            later = values[f"later bits {stream}"] << c.random_bits
            found[f"LFSR {stream}"] = values[f"random bits {stream}"] + later
        if "kept_row" in self.registers:
            bits, places = self._own.synapse.weight.bits, gate_sizes(self._own).synapses
            kept = [values[f"kept {place}"] << (place * bits) for place in range(places)]
            found["row that was kept"] = sum(kept)
        return found

    def operation(self, signal: str, values: Mapping[str, int], found: Mapping[str, int]) -> str:
        """Return the update as text."""
        left, bias, right = self._shift
        c = derive(self._own).constants
        currents = ", ".join(
            str(values[f"adjoint current {self._part * self._lanes + lane}"])
            for lane in range(self._lanes)
        )
        return (
            f"w + (((({values['rate']} x kap << {left}) + {bias}) >> {right}) + random) >> "
            f"{c.random_bits}, saturated to {c.weight_low} ..= {c.weight_high}, with kap {currents}"
        )
