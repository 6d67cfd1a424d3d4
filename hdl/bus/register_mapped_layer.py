"""A core, of a layer or a network, with its registers, independent of the bus."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from bitlif.hdl.gather import event_layout
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, outer

from .axi_stream import EventInput, TargetInput, event_members, target_members
from .register_bank import RegisterBank
from .register_map import register_map
from .register_port import AccessSignature


def takes_targets(config: Config, *, learning: bool) -> bool:
    """Return whether a core has a stream of targets."""
    return learning or config.membrane.reset == "teacher"


class RegisterMappedLayer(wiring.Component):
    """A core with the registers of `register_map` and checks on its input streams.

    Parameters
    ----------
    config : bitlif.Config or bitlif.NetworkConfig
    core : component with the members of `LayerCore`, or of `bitlif.hdl.network.NetworkCore`
        Its member ``restart``, In(1), resets it; without one, it is wrapped in a ResetInserter.
    learning : bool
        Whether the core has learning hardware.
    event_bits : int or None
        Width of TDATA of the input events; None: as many whole bytes as an address needs.
    back_to_back : bool
        For both input streams, see `EventInput`.

    Members
    -------
    access : In(AccessSignature)
    events_tdata, events_tlast, events_tvalid, events_tready
        Input events, see `EventInput`.
    targets_tdata, targets_tvalid, targets_tready
        Targets, see `TargetInput`; if the core learns or a teacher resets.
    o_events : Out(stream of event_layout(M))
        Output events of the core; not valid in the cycle of ``restart``.
    event_waiting : In(1)
        An output event waits downstream of ``o_events``.
    takes_targets : Out(1)
        Every step takes targets.
    restart : Out(1)
        Pulse: CONTROL.reset resets the core and the streams.

    Latency: that of the core, plus 1 clock cycle per input stream. Throughput: that of the core,
    or half of it for the input streams without `back_to_back`. Handshake: a window begins with its
    first event if CONTROL.run is 1 and no access is in progress. Reset: resets everything;
    CONTROL.reset keeps the other bits of CONTROL, LOAD, MEMORY and ADDRESS.
    """

    def __init__(
        self, config: Config | NetworkConfig, core: Any, *, learning: bool,
        event_bits: int | None = None, back_to_back: bool = True,
    ) -> None:  # fmt: skip
        self._whole, self._core, self._learning = config, core, learning
        self._config = config = outer(config)
        self._event_bits, self._back_to_back = event_bits, back_to_back
        sizes = config.layer
        self._streams = {"events": event_members(sizes.inputs, bits=event_bits)}
        if takes_targets(config, learning=learning):
            self._streams["targets"] = target_members(config)
        super().__init__(
            {
                "access": In(AccessSignature()),
                "o_events": Out(stream.Signature(event_layout(sizes.neurons))),
                "event_waiting": In(1),
                "takes_targets": Out(1),
                "restart": Out(1),
                **{
                    f"{name}_{part}": member
                    for name, members in self._streams.items()
                    for part, member in members.items()
                },
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect registers, streams and core."""
        m = Module()
        config, core = self._config, self._core
        m.submodules.bank = bank = RegisterBank(self._whole, learning=self._learning)
        own = register_map(self._whole, learning=self._learning)
        if "restart" in core.signature.members:
            m.submodules.core = core
            m.d.comb += core.restart.eq(bank.restart)
        else:
            m.submodules.core = ResetInserter(bank.restart)(core)
        events = EventInput(config.layer.inputs, self._event_bits, back_to_back=self._back_to_back)
        m.submodules.events = ResetInserter(bank.restart)(events)
        connect(m, flipped(self.access), bank.access)
        for place in own.places:
            host = f"host{place.suffix}"
            connect(m, getattr(bank, host), getattr(core, host))
        connect(m, events.o, core.i_events)
        m.d.comb += [
            self.o_events.payload.eq(core.o_events.payload),
            # In the cycle of a reset, the core still offers an event of the aborted window.
            self.o_events.valid.eq(core.o_events.valid & ~bank.restart),
            core.o_events.ready.eq(self.o_events.ready),
        ]
        self._connect_ports(m, "events", events)
        discard = bank.flush & ~bank.window
        begins = bank.run & ~bank.flush & ~self.access.request
        passes = bank.window | begins
        if own.selects:
            # The first layer must not begin a window while later ones end the one before.
            passes = bank.entered | (begins & bank.ready)
            m.d.comb += bank.idle.eq(core.idle)
        names = dict.fromkeys(
            f"{name}{place.suffix}"
            for place in own.places
            for name in ("phase", "digest", *own.counters)
        )
        # A network that only runs has no phases.
        shown = [name for name in (*names, "digest") if name in core.signature.members]
        m.d.comb += [
            events.discard.eq(discard),
            events.pass_on.eq(passes),
            bank.dropped_events.eq(events.dropped),
            bank.event_waiting.eq(self.event_waiting),
            bank.windows.eq(core.window_done),
            *(getattr(bank, name).eq(getattr(core, name)) for name in dict.fromkeys(shown)),
            self.restart.eq(bank.restart),
        ]
        if self._learning:
            m.d.comb += core.learn.eq(bank.learn)
        if "targets" in self._streams:
            targets = TargetInput(config, back_to_back=self._back_to_back)
            m.submodules.targets = ResetInserter(bank.restart)(targets)
            connect(m, targets.o, core.i_targets)
            self._connect_ports(m, "targets", targets)
            always = config.membrane.reset == "teacher"
            m.d.comb += [
                targets.discard.eq(discard),
                bank.held_targets.eq(targets.held),
                self.takes_targets.eq(1 if always else bank.learn),
            ]
        return m

    def _connect_ports(self, m: Module, name: str, inner: wiring.Component) -> None:
        """Connect the ports of a stream to those of an inner component."""
        for part, member in self._streams[name].items():
            port, own = getattr(self, f"{name}_{part}"), getattr(inner, part)
            m.d.comb += own.eq(port) if member.flow == In else port.eq(own)
