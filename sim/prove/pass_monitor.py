"""A monitor of the update of all weights: how many clock cycles it takes, and what it writes."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from bitlif.hdl import learning
from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import UPDATE, gate_sizes

from .protocol import ProtocolUnit
from .unit import used


class UpdatePassMonitor(Component):
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
        An update is done other than `update_clocks` clock cycles after its start, or unasked.
    bad_write : Out(1)
        A slot is written out of order, twice or unasked; or an update is done before its last one.
    """

    def __init__(self, config: Config) -> None:
        self._sizes, self._clocks = gate_sizes(config), update_clocks(config)
        self._pass = own = used(learning, "UpdatePass")(config)
        self._given = {
            name: member for name, member in own.signature.members.items() if member.flow == In
        }
        super().__init__(
            {**self._given, "assumed": Out(1), "bad_time": Out(1), "bad_write": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        """Build the update, its age, and the slot that is due."""
        m = Module()
        m.submodules.update = update = self._pass
        m.d.comb += [getattr(update, name).eq(getattr(self, name)) for name in self._given]
        sizes = self._sizes
        age = Signal(range(self._clocks + 2), name="age")
        with m.If(self.start):
            m.d.sync += age.eq(1)
        with m.Elif(age != 0):
            m.d.sync += age.eq(Mux(age == self._clocks, 0, age + 1))
        slot, given = Signal(range(sizes.slots), name="due_slot"), Signal(range(sizes.inputs))
        place, row = Signal(range(sizes.row_slots)), Signal(range(sizes.rows))
        last_input, last_slot = given == sizes.inputs - 1, slot == sizes.slots - 1
        with m.If(update.write):
            m.d.sync += given.eq(Mux(last_input, 0, given + 1))
            with m.If(last_input):
                full = (place == sizes.row_slots - 1) | last_slot
                m.d.sync += [
                    slot.eq(Mux(last_slot, 0, slot + 1)),
                    place.eq(Mux(full, 0, place + 1)),
                    row.eq(Mux(last_slot, 0, row + full)),
                ]
        right = (update.slot == slot) & (update.write_place == place)
        right &= update.write_address == given * sizes.rows + row
        m.d.comb += [
            self.assumed.eq(~self.start | (age == 0)),
            self.bad_time.eq(update.done != (age == self._clocks)),
            self.bad_write.eq(
                (update.write & ~(right & (age != 0)))
                | (update.done != (update.write & last_input & last_slot))
            ),
        ]
        return m


def update_clocks(config: Config) -> int:
    """Return the clock cycles from the start of an update to its last write."""
    sizes = gate_sizes(config)
    return sizes.update_pace * sizes.inputs * sizes.slots + UPDATE


def update_pass_unit(config: Config | None = None) -> ProtocolUnit:
    """Return the update of all weights, for two updates after a reset; by default that of `tiny`.

    Its sizes are those of a configuration, and must be small: every clock cycle is followed.
    """
    own = config or Config.load("tiny")
    return ProtocolUnit(
        "update_pass", lambda: UpdatePassMonitor(own), 2 * update_clocks(own) + 3, bounded=True
    )
