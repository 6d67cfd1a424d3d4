"""A monitor of the update of all weights: how many clock cycles it takes, and what it writes."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Out

from bitlif.hdl import learning
from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import gate_sizes

from .clock_monitors import PassMonitor, age_of
from .protocol import ProtocolUnit
from .unit import used


class UpdatePassMonitor(PassMonitor):
    """Watches the update of all weights, whose weights, gradients and constants are any.

    Parameters
    ----------
    config : Config

    Members
    -------
    the inputs of `bitlif.hdl.update_pass.UpdatePass`
    assumed : Out(1)
        An update starts only while none is in progress.
    bad_time : Out(1)
        An update is done other than `GateSizes.update_clocks` clock cycles after its start, or
        unasked.
    bad_write : Out(1)
        A slot is written out of order, twice or unasked; or an update is done before its last one.
    """

    def __init__(self, config: Config) -> None:
        self._sizes = gate_sizes(config)
        super().__init__(used(learning, "UpdatePass")(config), bad_write=Out(1))

    def watch(self, m: Module, unit: Any) -> None:
        """Decide about updates one after another, and the slot that is due."""
        sizes = self._sizes
        age = age_of(m, unit.start, 0, sizes.update_clocks - 1, "age")
        due = age == sizes.update_clocks
        slot, given = Signal(range(sizes.slots), name="due_slot"), Signal(range(sizes.inputs))
        place, row = Signal(range(sizes.row_slots)), Signal(range(sizes.rows))
        last_input, last_slot = given == sizes.inputs - 1, slot == sizes.slots - 1
        with m.If(unit.write):
            m.d.sync += given.eq(Mux(last_input, 0, given + 1))
            with m.If(last_input):
                full = (place == sizes.row_slots - 1) | last_slot
                m.d.sync += [
                    slot.eq(Mux(last_slot, 0, slot + 1)),
                    place.eq(Mux(full, 0, place + 1)),
                    row.eq(Mux(last_slot, 0, row + full)),
                ]
        right = (unit.slot == slot) & (unit.write_place == place)
        right &= unit.write_address == given * sizes.rows + row
        m.d.comb += [
            self.assumed.eq(~unit.start | (age == 0)),
            self.bad_time.eq(unit.done != due),
            self.bad_write.eq(
                (unit.write & ~(right & (age != 0)))
                | (unit.done != (unit.write & last_input & last_slot))
            ),
        ]


def update_pass_unit(config: Config | None = None) -> ProtocolUnit:
    """Return the update of all weights, for two updates after a reset; by default that of `tiny`.

    Its sizes are those of a configuration, and must be small: every clock cycle is followed.
    """
    own = config or Config.load("tiny")
    return ProtocolUnit(
        "update_pass",
        lambda: UpdatePassMonitor(own),
        2 * gate_sizes(own).update_clocks + 3,
        bounded=True,
    )
