"""The order of the passes of steps and windows."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config

AHEAD = 2
"""Steps whose neurons have started but which are not done."""


class Turns(wiring.Component):
    """Starts the neurons of each step, the weight update, and the next window.

    Up to three steps are in progress: the events of one are gathered, the neurons of another are
    computed, and a third is learned and its spikes are sent.

    Members
    -------
    learn : In(1)
        Whether the window is learned; 0 in a core without learning hardware.
    event : In(1)
        An input event is offered.
    clear, cleared : Out(1), In(1)
        After a reset: clear the memories.
    accept, following : Out(1)
        Whether events are accepted, and whether another step of the window may begin with
        ``start``.
    idle : Out(1)
        No window is in progress.
    gathered, free : In(1)
        The events of the next step are complete; its neurons can start.
    start : Out(1)
        Pulse: start the neurons of the gathered step.
    taught : In(1)
        Pulse, if the window is learned: the neurons of the next step may start.
    sent, learned : In(1)
        Pulses: the spikes of a step are sent; the products of a step are added.
    step_done : Out(1)
        A step ends in this clock cycle.
    start_update, updated : Out(1), In(1)
        Pulses: update the weights; they are updated.
    window_done : Out(1)
        A window ends in this clock cycle.

    Latency: a step ends one clock cycle after its last part. Throughput: `AHEAD` steps have
    started and are not done, at most. Handshake: pulses. Reset: clear the memories, then wait for a
    window.
    """

    def __init__(self, config: Config, *, learning: bool) -> None:
        self._steps, self._learning = config.window.steps, learning
        super().__init__(
            {
                "learn": In(1),
                "event": In(1),
                "clear": Out(1),
                "cleared": In(1),
                "accept": Out(1),
                "following": Out(1),
                "idle": Out(1),
                "gathered": In(1),
                "free": In(1),
                "start": Out(1),
                "taught": In(1),
                "sent": In(1),
                "learned": In(1),
                "step_done": Out(1),
                "start_update": Out(1),
                "updated": In(1),
                "window_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the counts of steps, and the state machine of windows."""
        m = Module()
        steps = self._steps
        begun, full = Signal(name="begun"), Signal(name="full")
        started, done = Signal(range(steps), name="started"), Signal(range(steps), name="done")
        ahead, untaught = Signal(range(AHEAD + 1), name="ahead"), Signal(name="untaught")
        # Registers, as the last step is known early, and its end comes late in a clock cycle.
        last, final = Signal(init=steps == 1, name="last"), Signal(init=steps == 1, name="final")
        closing = Signal(name="closing")
        m.d.sync += closing.eq(self.step_done & final)
        m.d.comb += [
            self.following.eq(~last),
            self.start.eq(self.gathered & self.free & (ahead != AHEAD) & ~untaught),
        ]
        with m.If(self.start):
            m.d.sync += [started.eq(started + 1), untaught.eq(self.learn)]
            if steps > 1:
                m.d.sync += last.eq(started == steps - 2)
            with m.If(last):
                m.d.sync += [started.eq(0), full.eq(1)]
        with m.If(self.taught):
            m.d.sync += untaught.eq(0)
        with m.If(self.start & ~self.step_done):
            m.d.sync += ahead.eq(ahead + 1)
        with m.Elif(self.step_done & ~self.start):
            m.d.sync += ahead.eq(ahead - 1)
        ready = self._count(m, "sent", self.sent, self.step_done)
        if self._learning:
            learned = self._count(m, "learned", self.learned, self.step_done & self.learn)
            ready = ready & (learned | ~self.learn)
        m.d.comb += self.step_done.eq(ready)
        with m.If(self.step_done):
            m.d.sync += done.eq(done + 1)
            if steps > 1:
                m.d.sync += final.eq(done == steps - 2)
            with m.If(final):
                m.d.sync += done.eq(0)
        with m.FSM(name="turn"):
            with m.State("clear"):
                m.d.comb += self.clear.eq(1)
                with m.If(self.cleared):
                    m.next = "window"
            with m.State("window"):
                m.d.comb += [self.accept.eq(~full), self.idle.eq(~begun)]
                with m.If(self.event):
                    m.d.sync += begun.eq(1)
                with m.If(closing):
                    m.d.sync += [begun.eq(0), full.eq(0)]
                    m.next = "close"
                    if self._learning:
                        with m.If(self.learn):
                            m.d.comb += self.start_update.eq(1)
                            m.next = "update"
            if self._learning:
                with m.State("update"), m.If(self.updated):
                    m.next = "close"
            with m.State("close"):
                m.d.comb += self.window_done.eq(1)
                # The memory of the schedule is read one clock cycle after its address.
                m.next = "schedule"
            with m.State("schedule"):
                m.next = "settle"
            with m.State("settle"):
                m.next = "window"
        return m

    def _count(self, m: Module, name: str, pulse: Value, done: Value) -> Signal:
        """Return whether there is a step of which a part is complete, and which is not done."""
        count = Signal(range(AHEAD + 1), name=f"{name}_ahead")
        with m.If(pulse & ~done):
            m.d.sync += count.eq(count + 1)
        with m.Elif(done & ~pulse):
            m.d.sync += count.eq(count - 1)
        some = Signal(name=f"{name}_some")
        m.d.comb += some.eq(count != 0)
        return some
