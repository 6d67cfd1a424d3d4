"""A monitor of the UART's bridge: every request is answered once, and its accesses are whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from bitlif.hdl.uart import uart_top
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig

from .monitors import before
from .protocol import SOME, ZERO, ProtocolUnit
from .request_invariant import END, HEADER, TAKEN
from .unit import used

DEPTH = 3
"""Clock cycles that the induction looks back: the memory of an answer shows a byte after one."""

LISTENING, BUSY, SENT = range(3)
"""Phases of a request: none; it is carried out and answered; its answer has been handed over."""

GIVEN = (
    "arrived", "good", "length", "byte", "done", "events_tready", "targets_tready", "takes_targets",
    "restart",
)  # fmt: skip
"""Inputs of the bridge that are not parts of a stream or of an access."""


def surroundings(bridge: Any) -> dict[str, Any]:
    """Return the members of a monitor that stand for the line, the core and the registers."""
    access = bridge.access
    return {
        "taken": In(1), "spike": In(1), "spike_data": In(len(bridge.spikes.payload.as_value())),
        "access_done": In(1), "result": In(access.result.shape()),
        "response": In(len(access.response)), "assumed": Out(1),
    }  # fmt: skip


def surround(m: Module, monitor: Any, bridge: Any, given: Iterable[str]) -> Signal:
    """Connect a bridge to the members of a monitor, and return the phase of its request."""
    access, out, spikes = bridge.access, bridge.o, bridge.spikes
    m.d.comb += [getattr(bridge, name).eq(getattr(monitor, name)) for name in given]
    m.d.comb += [
        out.ready.eq(monitor.taken), spikes.valid.eq(monitor.spike),
        spikes.payload.as_value().eq(monitor.spike_data), access.done.eq(monitor.access_done),
        access.result.eq(monitor.result), access.response.eq(monitor.response),
    ]  # fmt: skip
    phase = Signal(range(3), name="phase")
    with m.Switch(phase):
        with m.Case(LISTENING), m.If(monitor.arrived):
            m.d.sync += phase.eq(BUSY)
        with m.Case(BUSY), m.If(out.valid & monitor.taken & out.payload.last):
            m.d.sync += phase.eq(SENT)
        with m.Case(SENT), m.If(monitor.done):
            m.d.sync += phase.eq(LISTENING)
    return phase


def rightly_given(monitor: Any, bridge: Any, phase: Value) -> Value:
    """Return whether frames, ends of answers and of accesses come only when they are due."""
    found: Value = (
        (~monitor.arrived | (phase == LISTENING))
        & (~monitor.done | (phase == SENT))
        & (~monitor.access_done | bridge.access.request)
    )
    return found


class BridgeMonitor(Component):
    """Watches the bridge, whose frames, core, registers and line do anything.

    Parameters
    ----------
    config : Config or NetworkConfig

    Members
    -------
    the inputs of `bitlif.hdl.uart.bridge.Bridge`
    assumed : Out(1)
        A frame arrives only while the bridge listens; the end of an answer is reported once, after
        its last byte; an access is done only while it is requested.
    bad_answer : Out(1)
        The bridge listens before a request is answered, or does not when its answer is sent; or it
        sends a byte that belongs to no answer; or it takes a spike while it listens or answers.
    bad_hold : Out(1)
        A byte of an answer that was not taken changes or is gone.
    bad_access : Out(1)
        An access changes or is gone before it is done, or the next one follows without a pause; or
        a part of a word is accessed.
    bad_broken : Out(1)
        A frame that is not good accesses a register, sends an event or a target, or takes a spike.
    listening, heard, ending, refused, taking : Out(1)
        What the state of the bridge must be: see `bridge_unit`.
    """

    def __init__(self, config: Config | NetworkConfig) -> None:
        self._bridge = bridge = used(uart_top, "Bridge")(config, learning=True)
        given = {name: bridge.signature.members[name] for name in GIVEN if hasattr(bridge, name)}
        self._given = tuple(given)
        kinds = ("answer", "hold", "access", "broken")
        states = ("listening", "heard", "ending", "refused", "taking")
        super().__init__(
            {
                **given, **surroundings(bridge), **dict.fromkeys(states, Out(1)),
                **{f"bad_{kind}": Out(1) for kind in kinds},
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        """Build the bridge, and the phase of its request."""
        m = Module()
        m.submodules.bridge = bridge = self._bridge
        access, out, spikes = bridge.access, bridge.o, bridge.spikes
        phase, broken = surround(m, self, bridge, self._given), Signal(name="frame_broken")
        listening, busy = phase == LISTENING, phase == BUSY
        with m.If(listening & self.arrived):
            m.d.sync += broken.eq(~self.good)
        offer, request = out.payload.as_value(), Cat(access.address, access.data, access.write)
        kept = before(m, out.valid & ~self.taken, "kept")
        waits = before(m, access.request & ~access.done, "waits")
        ended = before(m, access.done, "access_ended")
        offers = bridge.events_tvalid | getattr(bridge, "targets_tvalid", 0)
        m.d.comb += [
            self.assumed.eq(rightly_given(self, bridge, phase)),
            self.bad_answer.eq(
                (bridge.listen != (listening & ~self.arrived))
                | (out.valid & ~busy)
                | (spikes.ready & (~busy | out.valid))
                | (phase > SENT)
            ),
            self.bad_hold.eq(kept & ~(out.valid & (offer == before(m, offer, "offer_before")))),
            self.bad_access.eq(
                (waits & ~(access.request & (request == before(m, request, "request_before"))))
                | (access.request & (ended | ~access.strobe.all()))
            ),
            self.bad_broken.eq(broken & busy & (access.request | offers | spikes.ready)),
            self.listening.eq(listening),
            self.heard.eq(~listening),
            self.ending.eq(phase == SENT),
            self.refused.eq(busy & broken),
            self.taking.eq(spikes.ready),
        ]
        return m


def bridge_unit(config: Config | NetworkConfig) -> ProtocolUnit:
    """Return the bridge of a configuration."""
    held = (
        ("bridge.request_state", ZERO, "listening"),
        ("bridge.request_state", SOME, "heard"),
        ("bridge.request_state", END, "ending"),
        ("bridge.request_state", HEADER, "refused"),
        ("bridge.request_state", TAKEN, "taking"),
        ("bridge._objection", SOME, "refused"),
    )
    return ProtocolUnit("uart_bridge", lambda: BridgeMonitor(config), DEPTH, held=held)
