"""A monitor of the UART's bridge: what it does with a request, and what it answers."""

from __future__ import annotations

from types import SimpleNamespace

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from bitlif.hdl.bus.registers import ADDRESS_BITS, WORD_BITS, Response
from bitlif.hdl.uart import uart_top
from bitlif.hdl.uart.event_exchange import STALL_TIMEOUT, event_bytes
from bitlif.hdl.uart.protocol import ANSWER_HEAD, CRC_BYTES, LONGEST, SHORTEST, Command, Status
from bitlif.hdl.uart.protocol import REQUEST_HEAD as HEAD
from bitlif.hdl.uart.request_state import PAYLOAD
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, outer

from .bridge_monitor import BUSY, LISTENING, SENT, rightly_given, surround, surroundings
from .monitors import before
from .protocol import ProtocolUnit
from .request_invariant import ARGUMENTS, NAMES, SEEN, WORD_BYTES, Invariant
from .unit import used

LARGEST_READ = PAYLOAD // WORD_BYTES * WORD_BYTES

PAUSE = 8
"""Clock cycles without progress, with no one to wait for, that are too many."""

KINDS = ("access", "item", "spike", "answer", "status", "read", "wait", "state")
"""The properties: see `RequestMonitor`."""


class RequestMonitor(Component):
    """Watches the bridge, whose frames hold any bytes, and whose core and registers do anything.

    The monitor decodes the frame that has arrived by itself, and counts what the bridge has done of
    it: accesses, bytes of items, bytes of the payload. The last answer is known up to its payload,
    of which one byte at any place is followed.

    Parameters
    ----------
    config : Config or NetworkConfig

    Members
    -------
    write, write_address, write_data : In
        A byte of a frame that arrives.
    arrived, good, length, done, taken, access_done, result, response, restart : In
        See `bitlif.hdl.uart.bridge.Bridge`.
    events_tready, targets_tready, takes_targets, spike, spike_data : In
        Of the core.
    choice : In
        Place of the byte of the payload that is followed; taken while there is none.
    seen_... : In
        What registers of the bridge hold: see `request_unit`.
    assumed : Out(1)
        What `BridgeMonitor` assumes; a good frame has `SHORTEST` to `LONGEST` bytes; the core keeps
        an output event until it is taken, sends no more ends of steps than it was given, lags
        behind by fewer than four steps in each layer, and is not reset during EVENTS.
    bad_access : Out(1)
        A register is accessed that is not due: other than the next word of a request that is
        carried out, at its address, with its value.
    bad_item : Out(1)
        An event, the end of a step, or targets are sent that are not the next item of a request.
    bad_spike : Out(1)
        An output event is taken other than in EVENTS, or that does not fit in the answer.
    bad_answer : Out(1)
        An answer has another number, status, count, payload or length than that of the request; or
        to a repeated request, than the last one.
    bad_status : Out(1)
        The status of a request that is carried out is not right, such as `DONE` with words left.
    bad_read : Out(1)
        A byte of the request is skipped, or read again.
    bad_wait : Out(1)
        Nothing has been read, done or sent for `PAUSE` clock cycles although nothing is waited for;
        or in EVENTS, for `STALL_TIMEOUT` more.
    bad_state : Out(1)
        A register of the bridge holds another value than the one that follows: the invariant by
        which the other properties are proved.
    """

    def __init__(self, config: Config | NetworkConfig) -> None:
        self._layers = 1 if isinstance(config, Config) else len(config.layers)
        self._bridge = bridge = used(uart_top, "Bridge")(config, learning=True)
        self._sizes = outer(config).layer
        self._targets = hasattr(bridge, "targets_tdata")
        self._slot_bytes = len(bridge.targets_tdata) // 8 if self._targets else 0
        self._forwarded = [
            name for name in (
                "arrived", "good", "length", "done", "events_tready", "targets_tready",
                "takes_targets", "restart",
            )
            if hasattr(bridge, name)
        ]  # fmt: skip
        given = {name: bridge.signature.members[name] for name in self._forwarded}
        self._item_bytes = max(event_bytes(self._sizes.inputs), self._slot_bytes)
        most = max(self._item_bytes, event_bytes(self._sizes.neurons))
        bits = SEEN | {
            "due": self._sizes.slots.bit_length() if self._targets else 0,
            "byte": (most - 1).bit_length(), "unanswered": (4 * self._layers - 1).bit_length(),
            "item": 8 * self._item_bytes if self._item_bytes > WORD_BYTES else 0,
        }  # fmt: skip
        super().__init__(
            {
                **given, **surroundings(bridge),
                "write": In(1), "write_address": In(range(LONGEST)), "write_data": In(8),
                "choice": In(range(LONGEST)),
                **{f"seen_{name}": In(width) for name, width in bits.items() if width},
                **{f"bad_{kind}": Out(1) for kind in KINDS},
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        """Build the bridge, the frame, and what is due."""
        m = Module()
        m.submodules.bridge = bridge = self._bridge
        out = bridge.o
        phase = surround(m, self, bridge, self._forwarded)
        listening, busy = phase == LISTENING, phase == BUSY
        self._keep_frame(m, listening)
        r = self._decode(m, listening)
        sent = out.valid & self.taken
        r.phase, r.listening, r.busy, r.sent_all = phase, listening, busy, phase == SENT
        with m.If(r.sent_all & self.done):
            m.d.sync += r.number.eq(r.new_number)
        r.begins = listening & self.arrived
        r.answering = out.valid | (r.sent != 0)
        with m.If(r.begins):
            m.d.sync += [r.sent.eq(0), r.stopped.eq(0), r.still.eq(0)]
            with m.If(r.executes):
                m.d.sync += [r.count.eq(0), r.size.eq(0)]
        with m.If(sent):
            m.d.sync += r.sent.eq(r.sent + 1)
        doing = r.executes & busy & ~r.answering
        with m.If(listening & (r.size == 0)):
            m.d.sync += r.chosen.eq(self.choice)
        self._watch_accesses(m, r, doing)
        exchanged = self._watch_events(m, r, doing)
        self._watch_answer(m, r, sent)
        self._watch_time(m, r, sent, exchanged)
        r.shown, r.byte = self._shown, self.bytes_at(m, bridge.address, 1)
        m.d.comb += self.bad_state.eq(Invariant(self, r).wrong())
        return m

    def _keep_frame(self, m: Module, listening: Value) -> None:
        """Add the memory of the frame."""
        m.submodules.frame = self._frame = Memory(shape=8, depth=LONGEST, init=[])
        write, read = self._frame.write_port(), self._frame.read_port()
        m.d.comb += [
            write.addr.eq(self.write_address), write.data.eq(self.write_data),
            write.en.eq(self.write & listening & ~self.arrived),
            read.addr.eq(self._bridge.address), self._bridge.byte.eq(read.data),
        ]  # fmt: skip
        self._shown = read.data

    def bytes_at(self, m: Module, place: Value | int, count: int) -> Value:
        """Return some bytes of the frame, the first one in the lowest bits."""
        found = []
        for number in range(count):
            port = self._frame.read_port(domain="comb")
            m.d.comb += port.addr.eq(place + number)
            found.append(port.data)
        return Cat(found)

    def _decode(self, m: Module, listening: Value) -> SimpleNamespace:
        """Return the fields of the request, whether it is carried out, and what is counted."""
        good_frame, end_kept = Signal(name="good_frame"), Signal(range(LONGEST + 1), name="end")
        end_now = (self.length - CRC_BYTES)[: len(end_kept)]
        with m.If(listening & self.arrived):
            m.d.sync += [good_frame.eq(self.good), end_kept.eq(end_now)]
        good = Mux(listening, self.good, good_frame)
        number = Signal(32, name="last_number")
        given, command = self.bytes_at(m, 0, 4), self.bytes_at(m, 4, 1)
        following = (number + 1)[:32]
        opens = command == Command.OPEN
        repeats = ~opens & (given == number)
        known, follows = command <= max(Command), given == following
        executes = good & (opens | (~repeats & follows & known))
        refusal = Mux(
            ~good, Status.BAD_FRAME,
            Mux(opens | repeats, 0, Mux(follows, Mux(known, 0, Status.UNKNOWN),
                                        Status.OUT_OF_ORDER)),
        )  # fmt: skip
        opened = Cat(Const(0, 16), (number[16:] + 1)[:16])
        address = self.bytes_at(m, HEAD, 2)
        reads, writes = command == Command.READ, command == Command.WRITE
        asked = self.bytes_at(m, ARGUMENTS, 1)[:7]
        end = end_kept
        total = Mux(
            reads, Mux(end <= ARGUMENTS, 0, asked),
            Mux(end < ARGUMENTS, 0, ((end - ARGUMENTS)[: len(end)] >> 2)),
        )  # fmt: skip
        count = Signal(range(LONGEST + 1), name="due_count")
        offset = Mux(address[15], 0, (count << 2)[:ADDRESS_BITS])
        return SimpleNamespace(
            good=good, number=number, following=following, given=given, command=command,
            opens=opens, repeats=repeats, follows=follows, executes=executes, refusal=refusal,
            new_number=Mux(executes, Mux(opens, opened, given), number),
            reads=reads, writes=writes, events=command == Command.EVENTS, end=end, total=total,
            stays=address[15], unmapped=address[ADDRESS_BITS:15] != 0, base=address[:ADDRESS_BITS],
            address=(address[:ADDRESS_BITS] + offset)[:ADDRESS_BITS],
            word=self.bytes_at(m, ARGUMENTS + (count << 2), WORD_BYTES), count=count,
            size=Signal(range(LONGEST + 1), name="due_size"),
            status=Signal(4, name="last_status"), response=Signal(4, name="last_response"),
            stopped=Signal(name="access_refused"), result=Signal(WORD_BITS, name="last_result"),
            chosen=Signal(range(LONGEST), name="chosen"), kept=Signal(8, name="chosen_byte"),
            sent=Signal(range(LONGEST + 1), name="bytes_sent"),
            due=Signal(self._sizes.slots.bit_length(), name="slots_due"),
            unanswered=Signal((4 * self._layers - 1).bit_length(), name="open_steps"),
            still=Signal(range(2 * STALL_TIMEOUT), name="still"),
        )  # fmt: skip

    def _watch_accesses(self, m: Module, r: SimpleNamespace, doing: Value) -> None:
        """Decide about register accesses, and count them."""
        access = self._bridge.access
        ended = access.request & access.done
        okay = access.response == Response.OKAY
        with m.If(ended):
            with m.If(okay):
                m.d.sync += [r.count.eq(r.count + 1), r.result.eq(access.result)]
                with m.If(~access.write):
                    m.d.sync += r.size.eq(r.size + WORD_BYTES)
                    with m.If(r.chosen[2:] == r.count):
                        m.d.sync += r.kept.eq(access.result.word_select(r.chosen[:2], 8))
            with m.Else():
                m.d.sync += [r.stopped.eq(1), r.response.eq(access.response)]
        due = doing & (r.reads | r.writes) & ~r.stopped & (r.count < r.total) & ~r.unmapped
        due &= r.writes | (r.size != LARGEST_READ)
        right = (access.address == r.address) & (access.write == r.writes)
        right &= r.reads | (access.data == r.word)
        m.d.comb += self.bad_access.eq(access.request & ~(due & right))

    def _watch_events(self, m: Module, r: SimpleNamespace, doing: Value) -> Value:
        """Decide about items and output events; return whether one is transferred."""
        bridge, sizes = self._bridge, self._sizes
        in_bytes, out_bytes = event_bytes(sizes.inputs), event_bytes(sizes.neurons)
        r.item_bytes = Mux(r.due != 0, self._slot_bytes, in_bytes) if self._targets else in_bytes
        r.place = HEAD + r.count
        r.item = self.bytes_at(m, r.place, self._item_bytes)
        r.whole = r.place + r.item_bytes <= r.end
        item = bridge.events_tdata == r.item[: 8 * in_bytes]
        last = bridge.events_tlast == (r.item[: 8 * in_bytes] == sizes.inputs)
        due = doing & r.events & r.whole
        given = bridge.events_tvalid & bridge.events_tready
        ended = given & (r.item[: 8 * in_bytes] == sizes.inputs)
        wrong: Value = bridge.events_tvalid & ~(due & (r.due == 0) & item & last)
        moved: Value = given
        if self._targets:
            right = bridge.targets_tdata == r.item[: 8 * self._slot_bytes]
            wrong |= bridge.targets_tvalid & ~(due & (r.due != 0) & right)
            taught = bridge.targets_tvalid & bridge.targets_tready
            moved |= taught
            with m.If(ended & bridge.takes_targets):
                m.d.sync += r.due.eq(sizes.slots)
            with m.Elif(taught):
                m.d.sync += r.due.eq(r.due - 1)
            with m.If(bridge.restart):
                m.d.sync += r.due.eq(0)
        m.d.comb += self.bad_item.eq(wrong)
        spikes = bridge.spikes
        leaves = spikes.valid & spikes.ready
        answered = leaves & spikes.payload.last
        r.out_bytes, r.longest_item, r.slots = out_bytes, self._item_bytes, sizes.slots
        r.spike_valid, r.largest_read = spikes.valid, LARGEST_READ
        r.spike = Signal(8 * out_bytes, name="spike_item")
        m.d.comb += r.spike.eq(Mux(spikes.payload.last, sizes.neurons, spikes.payload.address))
        place = (r.chosen - r.size)[: len(r.chosen)]
        r.spike_byte = r.spike.word_select(place, 8) if out_bytes > 1 else r.spike
        r.largest = PAYLOAD // out_bytes * out_bytes
        fits = r.size + out_bytes <= PAYLOAD
        m.d.comb += self.bad_spike.eq(spikes.ready & ~(doing & r.events & spikes.valid & fits))
        m.d.sync += r.unanswered.eq(r.unanswered + ended - answered)
        with m.If(bridge.restart):
            m.d.sync += r.unanswered.eq(0)
        with m.If(moved):
            m.d.sync += r.count.eq(r.count + r.item_bytes)
        with m.If(leaves):
            m.d.sync += r.size.eq(r.size + out_bytes)
            with m.If((r.chosen >= r.size) & (r.chosen < r.size + out_bytes)):
                m.d.sync += r.kept.eq(r.spike_byte)
        with m.If(moved | leaves):
            m.d.sync += r.still.eq(0)
        with m.Elif(doing & (r.still != 2 * STALL_TIMEOUT - 1)):
            m.d.sync += r.still.eq(r.still + 1)
        exchange = r.executes & r.events & r.busy
        held = before(m, spikes.valid & ~spikes.ready & exchange, "spike_held")
        same = self.spike_data == before(m, self.spike_data, "spike_before")
        m.d.comb += self.assumed.eq(
            rightly_given(self, bridge, r.phase)
            & (~(self.arrived & self.good) | self._fits())
            & (~held | (spikes.valid & same))
            & ~(bridge.restart & exchange)
            & (~ended | (r.unanswered != 4 * self._layers - 1))
            & (~answered | (r.unanswered != 0))
        )
        return moved | leaves

    def _fits(self) -> Value:
        """Return whether the length is one of a good frame."""
        return (self.length >= SHORTEST) & (self.length <= LONGEST)

    def _watch_answer(self, m: Module, r: SimpleNamespace, sent: Value) -> None:
        """Decide about the bytes of the answer."""
        out = self._bridge.o
        refused = r.refusal != 0
        empty = refused | (r.size == 0)
        finished = r.count == r.total
        ended = Mux(finished, Status.DONE, Mux(r.unmapped, Status.NO_REGISTER, Status.FULL))
        full = r.reads & (r.size == LARGEST_READ)

        def right(status: Value) -> Value:
            """Return whether a status is right for a request that is carried out."""
            words = status == Mux(r.stopped, r.response, ended)
            words &= (status != Status.FULL) | r.stopped | full
            events = (status == Status.DONE) & ~r.whole & (r.unanswered == 0)
            events |= (status == Status.FULL) & (r.size == r.largest)
            events |= (status == Status.STALLED) & (r.still >= STALL_TIMEOUT)
            return Mux(r.opens, status == Status.OPENED, Mux(r.events, events, words))

        r.right = right
        byte, place = out.payload.data, r.sent
        with m.If(sent & (place == 4) & r.executes):
            m.d.sync += r.status.eq(byte)
        wrong = Signal(name="wrong_byte")
        with m.Switch(place):
            for number in range(4):
                with m.Case(number):
                    m.d.comb += wrong.eq(byte != r.new_number.word_select(number, 8))
            with m.Case(4):
                m.d.comb += wrong.eq(~r.executes & (byte != Mux(refused, r.refusal, r.status)))
            with m.Case(5):
                m.d.comb += wrong.eq(byte != Mux(refused, 0, r.count[:8]))
            with m.Case(6):
                m.d.comb += wrong.eq(byte != Mux(refused, 0, r.count[8:]))
            with m.Default():
                m.d.comb += wrong.eq((place == ANSWER_HEAD + r.chosen) & (byte != r.kept))
        last = place == Mux(empty, ANSWER_HEAD - 1, ANSWER_HEAD - 1 + r.size)
        m.d.comb += [
            self.bad_answer.eq(out.valid & (~r.busy | wrong | (out.payload.last != last))),
            self.bad_status.eq(out.valid & (place == 4) & r.executes & ~right(byte)),
        ]

    def _watch_time(self, m: Module, r: SimpleNamespace, sent: Value, exchanged: Value) -> None:
        """Decide whether the request goes on."""
        bridge = self._bridge
        address = bridge.address
        previous, reading = before(m, address, "address_before"), r.busy & ~r.answering
        was = before(m, reading, "was_reading")
        m.d.comb += self.bad_read.eq(
            was & reading & (address != previous) & (address != previous + 1)
        )
        # The others: the registers, the line, the sender of the frame.
        waits = bridge.access.request | bridge.o.valid | ~r.busy
        r.moved = address != previous
        goes = r.moved | exchanged | sent | waits
        r.idle = Signal(range(2 * STALL_TIMEOUT), name="idle")
        with m.If(goes):
            m.d.sync += r.idle.eq(0)
        with m.Else():
            m.d.sync += r.idle.eq(r.idle + 1)
        longest = Mux(r.executes & r.events, STALL_TIMEOUT + PAUSE, PAUSE)
        m.d.comb += self.bad_wait.eq(r.idle >= longest)


def request_unit(config: Config | NetworkConfig) -> ProtocolUnit:
    """Return the bridge of a configuration, for what it does with requests."""
    seen = tuple(
        (f"bridge.{NAMES.get(own, own)}", f"seen_{own}", "chosen" if own == "kept" else "")
        for own in SEEN
    )
    return ProtocolUnit("uart_requests", lambda: RequestMonitor(config), 1, seen=seen)
