"""The order of steps and windows against counts of what has started and ended."""

from __future__ import annotations

import random
from typing import Any

import pytest
from unit_clock import simulate

from bitlif.hdl.turns import AHEAD, Turns
from bitlif.model.clocks import SETTLE
from bitlif.model.config.config import Config

WINDOWS = 8


class Window:
    """How many steps of a window have started, were taught, sent, learned and done."""

    def __init__(self, learn: bool) -> None:
        self.learn, self.begun = learn, False
        self.started = self.taught = self.sent = self.learned = self.done = 0


@pytest.mark.parametrize("learning", [True, False])
@pytest.mark.parametrize("steps", [1, 2, 3, 7])
@pytest.mark.parametrize("often", [1.0, 0.5, 0.15])
def test_passes_start_as_soon_as_they_may(steps: int, learning: bool, often: float) -> None:
    source = random.Random(f"{steps} {learning} {often}")
    unit = Turns(Config.load("tiny").replace(window__steps=steps), learning=learning)
    most = 0

    def chance() -> bool:
        return source.random() < often

    async def settle(ctx: Any, wait: int) -> None:
        """Pass through the clock cycles between windows, in which nothing is accepted."""
        for _ in range(wait):
            assert not ctx.get(unit.accept)
            assert not ctx.get(unit.idle)
            await ctx.tick()
        ctx.set(unit.event, 0)
        ctx.set(unit.learn, learning and source.getrandbits(1))

    async def run_window(ctx: Any, window: Window) -> None:
        nonlocal most
        teaches = window.learn and learning
        ctx.set(unit.learn, teaches)
        while True:
            event = chance()
            gathered = window.begun and window.started < steps and chance()
            free = chance()
            taught = teaches and window.taught < window.started and chance()
            sent = window.sent < window.started and chance()
            learned = window.learned < window.taught and chance()
            for name, value in (
                ("event", event), ("gathered", gathered), ("free", free), ("taught", taught),
                ("sent", sent), ("learned", learned),
            ):  # fmt: skip
                ctx.set(getattr(unit, name), value)
            ahead = window.started - window.done
            most = max(most, ahead)
            waits = teaches and window.taught < window.started
            start = gathered and free and ahead < AHEAD and not waits
            done = window.sent > window.done and (not teaches or window.learned > window.done)
            ends = done and window.done == steps - 1
            assert ctx.get(unit.start) == start
            assert ctx.get(unit.step_done) == done
            assert ctx.get(unit.accept) == (window.started < steps)
            assert ctx.get(unit.idle) == (not window.begun)
            assert not ctx.get(unit.start_update)
            assert not ctx.get(unit.window_done)
            if window.started < steps:
                assert ctx.get(unit.following) == (window.started < steps - 1)
            window.begun |= event
            window.started += start
            window.taught += taught
            window.sent += sent
            window.learned += learned
            window.done += done
            await ctx.tick()
            if ends:
                return

    async def bench(ctx: Any) -> None:
        assert ctx.get(unit.clear)
        for _ in range(3):
            await ctx.tick()
        ctx.set(unit.cleared, 1)
        await ctx.tick()
        assert not ctx.get(unit.clear)
        for number in range(WINDOWS):
            window = Window(number % 3 != 1)
            await run_window(ctx, window)
            for name in ("gathered", "taught", "sent", "learned"):
                ctx.set(getattr(unit, name), 0)
            # An event may wait for the next window.
            ctx.set(unit.event, number % 2)
            if window.learn and learning:
                assert ctx.get(unit.start_update)
                await ctx.tick()
                for _ in range(source.randrange(4)):
                    assert not ctx.get(unit.start_update)
                    assert not ctx.get(unit.window_done)
                    await ctx.tick()
                ctx.set(unit.updated, 1)
                await ctx.tick()
                ctx.set(unit.updated, 0)
            else:
                assert not ctx.get(unit.window_done)
                await ctx.tick()
            assert ctx.get(unit.window_done)
            await settle(ctx, 1 + SETTLE)

    simulate(unit, bench)
    if steps > AHEAD:
        assert most == AHEAD


def test_a_gathered_step_waits_for_the_end_of_the_reset() -> None:
    unit = Turns(Config.load("tiny"), learning=True)

    async def bench(ctx: Any) -> None:
        ctx.set(unit.event, 1)
        for cleared in (0, 0, 1):
            assert (ctx.get(unit.accept), ctx.get(unit.idle)) == (0, 0)
            ctx.set(unit.cleared, cleared)
            await ctx.tick()
        assert (ctx.get(unit.accept), ctx.get(unit.idle)) == (1, 1)
        await ctx.tick()
        assert (ctx.get(unit.accept), ctx.get(unit.idle)) == (1, 0)

    simulate(unit, bench)
