"""A monitor of the turns of a core: when each step and window begins and ends, and that it does."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from bitlif.hdl import layer
from bitlif.hdl.turns import AHEAD
from bitlif.model.config.config import Config

from .protocol import ProtocolUnit
from .unit import used

LONGEST_WAIT = 3
"""Clock cycles without progress, when all is there, that are too many: 2 follow a window."""

REGISTERS = (
    "started", "done", "ahead", "sent_ahead", "learned_ahead", "last", "final", "full", "untaught",
    "begun", "closing", "turn_state",
)  # fmt: skip
"""Registers of the turns, all of which follow from what is under way."""


class TurnMonitor(Component):
    """Watches the turns of a core whose passes take any number of clock cycles.

    Parameters
    ----------
    config : Config
        With the number of steps of a window.
    learning : bool
        Whether the core has learning hardware.

    Members
    -------
    learn, event, gathered, free, taught, sent, learned, updated, cleared : In
        Of the passes, at any time that `assumed` allows.
    assumed : Out(1)
        A part of a step is reported only after the step has started, each once; the weights are
        updated only when that was asked; ``learn`` does not change in a window; the events of a
        step are complete only while another step may begin, and an event has come before.
    bad_start : Out(1)
        A step starts other than in the first clock cycle in which its events are complete, its
        neurons are free, at most one started step is not done, and the errors of the step before
        are known.
    bad_step : Out(1)
        A step ends other than in the clock cycle after the last of its parts, or after that of the
        step before.
    bad_window : Out(1)
        A window ends before all of its steps, or other than 2 clock cycles after the last of them,
        or 1 after the update of its weights.
    bad_accept : Out(1)
        Events are accepted, or refused, other than while steps of a window have to start.
    bad_count : Out(1)
        A part of a step is reported that belongs to none, or more steps are done than have started.
    bad_wait : Out(1)
        All passes have done what they were asked for, and nothing has happened for `LONGEST_WAIT`
        clock cycles: no step has started or ended, and no window has ended.
    """

    def __init__(self, config: Config, *, learning: bool) -> None:
        self._steps, self._learning = config.window.steps, learning
        self._turns = used(layer, "Turns")(config, learning=learning)
        kinds = ("start", "step", "window", "accept", "wait", "count")
        names = (
            "learn", "event", "gathered", "free", "taught", "sent", "learned", "updated", "cleared"
        )  # fmt: skip
        super().__init__(
            {
                **dict.fromkeys(names, In(1)), "assumed": Out(1),
                **{f"bad_{kind}": Out(1) for kind in kinds},
                **{f"due_{name}": Out(range(max(config.window.steps, 6))) for name in REGISTERS},
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        """Build the turns, and what is under way."""
        m = Module()
        m.submodules.turns = t = self._turns
        learn = self.learn if self._learning else Const(0, 1)
        names = ("event", "gathered", "free", "taught", "sent", "learned", "updated", "cleared")
        m.d.comb += [getattr(t, name).eq(getattr(self, name)) for name in names]
        m.d.comb += t.learn.eq(learn)
        steps = self._steps
        started = Signal(range(steps + 1), name="steps_started")
        done = Signal(range(steps + 1), name="steps_done")
        sending, learning = Signal(range(AHEAD + 1)), Signal(range(AHEAD + 1))
        sent, learned = Signal(range(AHEAD + 1)), Signal(range(AHEAD + 1))
        untold, taught_learn = Signal(name="untold"), Signal(name="window_learn")
        begun, clearing = Signal(name="window_begun"), Signal(init=1, name="clearing")
        # The parts of started steps: those that are still computed, and those that wait.
        ends, starts = t.step_done, t.start
        m.d.sync += [
            sending.eq(sending + starts - self.sent),
            sent.eq(sent + self.sent - ends),
            started.eq(started + starts),
            done.eq(done + ends),
            clearing.eq(clearing & ~self.cleared),
            taught_learn.eq(learn),
        ]
        with m.If(learn):
            m.d.sync += [
                learning.eq(learning + starts - self.learned),
                learned.eq(learned + self.learned - ends),
            ]
        with m.If(starts):
            m.d.sync += untold.eq(learn)
        with m.If(self.taught):
            m.d.sync += untold.eq(0)
        # After the last step: one clock cycle, the update, the end of the window, two more.
        phase = Signal(range(6), name="closing_phase")
        with m.If(self.event & (phase < 2) & ~clearing):
            m.d.sync += begun.eq(1)
        with m.Switch(phase):
            with m.Case(0), m.If(ends & (done == steps - 1)):
                m.d.sync += phase.eq(1)
            with m.Case(1):
                m.d.sync += [phase.eq(Mux(learn, 2, 3)), begun.eq(0), started.eq(0), done.eq(0)]
            with m.Case(2), m.If(self.updated):
                m.d.sync += phase.eq(3)
            with m.Case(3):
                m.d.sync += phase.eq(4)
            with m.Case(4):
                m.d.sync += phase.eq(5)
            with m.Case(5):
                m.d.sync += phase.eq(0)
        m.d.comb += [
            self.assumed.eq(
                Cat(
                    ~self.sent | (sending != 0),
                    ~self.learned | (learn & (learning != 0)),
                    ~self.learned | (learning != 1) | ~untold | self.taught,
                    ~self.updated | (phase == 2),
                    ~self.gathered | (begun & ~clearing & (started != steps) & (phase == 0)),
                    (learn == taught_learn) | (~begun & (phase == 0)),
                ).all()
            ),
            self.bad_start.eq(
                starts != (self.gathered & self.free & (started - done != AHEAD) & ~untold)
            ),
            self.bad_step.eq(ends != ((sent != 0) & (~learn | (learned != 0)))),
            self.bad_window.eq((t.window_done != (phase == 3)) | ((phase == 1) & (done != steps))),
            self.bad_accept.eq(
                (t.accept != ((phase < 2) & ~clearing & (started != steps)))
                | (t.following == ((started == steps - 1) | (steps == 1)))
                | (t.idle != ((phase < 2) & ~clearing & ~begun))
            ),
            self.bad_count.eq(
                (started != done + sent + sending)
                | (learn & (started != done + learned + learning))
                | (~learn & (learning + learned != 0))
                | ((phase != 0) & ((started != done) | untold))
                | ((started != 0) & ~begun)
                | (untold & ~learn)
                | (untold & (learning == 0))
                | ((phase == 0) & (done == steps))
                | ((phase > 1) & (begun | (started != 0)))
                | (phase > 5)
                | (started > steps)
                | (done > started)
                | (started - done > AHEAD)
                | (clearing & ((phase != 0) | begun | (started != 0)))
            ),
            self.due_started.eq(Mux(started == steps, 0, started)),
            self.due_done.eq(Mux(done == steps, 0, done)),
            self.due_ahead.eq(started - done),
            self.due_sent_ahead.eq(sent),
            self.due_learned_ahead.eq(learned),
            self.due_last.eq((started == steps - 1) | (steps == 1)),
            self.due_final.eq((done == steps - 1) | (steps == 1)),
            self.due_full.eq(started == steps),
            self.due_untaught.eq(untold),
            self.due_begun.eq(begun),
            self.due_closing.eq(phase == 1),
        ]
        # In the order in which the state machine names its states.
        with m.Switch(phase):
            for number, state in enumerate((1, 1, 3, 2, 3 + self._learning, 4 + self._learning)):
                with m.Case(number):
                    m.d.comb += self.due_turn_state.eq(Mux(clearing, 0, state))
        served = (sending == 0) & (learning == 0) & ~untold & ~clearing & (phase != 2)
        served &= self.free & (self.gathered | (started == steps) | (phase != 0))
        still = Signal(range(LONGEST_WAIT + 2), name="still")
        with m.If(served & ~starts & ~ends & ~t.window_done):
            m.d.sync += still.eq(still + 1)
        with m.Else():
            m.d.sync += still.eq(0)
        m.d.comb += self.bad_wait.eq(still == LONGEST_WAIT)
        return m


def turn_unit(config: Config, *, learning: bool) -> ProtocolUnit:
    """Return the turns of a configuration."""
    return ProtocolUnit(
        "turns" if learning else "turns_inference",
        lambda: TurnMonitor(config, learning=learning),
        LONGEST_WAIT + 1,
        same=tuple((f"turns.{name}", f"due_{name}") for name in REGISTERS),
    )
