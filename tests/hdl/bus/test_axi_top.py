"""AXI4-Lite, AXI4-Stream and the element port in the simulator of Amaranth."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from bitlif.hdl.bus.axi_lite import AxiLiteSlave
from bitlif.hdl.bus.axi_stream import EventInput, EventOutput, TargetInput
from bitlif.hdl.bus.elements import element_ports
from bitlif.hdl.bus.registers import MEMORIES, Response
from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import gate_sizes


class Registers:
    """A memory that answers the slave after a delay and logs the accesses."""

    def __init__(self, slave: AxiLiteSlave, delay: int) -> None:
        self.access, self.delay = slave.access, delay
        self.words: dict[int, int] = {}
        self.log: list[str] = []

    async def serve(self, ctx: Any) -> None:
        access = self.access
        while True:
            while not ctx.get(access.request):
                await ctx.tick()
            address = ctx.get(access.address)
            for _ in range(self.delay):
                await ctx.tick()
                assert ctx.get(access.request)
                assert ctx.get(access.address) == address
            write = ctx.get(access.write)
            self.log.append("w" if write else "r")
            unknown = address >= 0x100
            ctx.set(access.response, Response.DECODE_ERROR if unknown else Response.OKAY)
            ctx.set(access.result, 0 if unknown else self.words.get(address, 0))
            ctx.set(access.done, 1)
            if write and not unknown:
                self.words[address] = ctx.get(access.data)
            await ctx.tick()
            ctx.set(access.done, 0)
            assert not ctx.get(access.request)


def simulate(slave: AxiLiteSlave, registers: Registers, *benches: Any) -> None:
    simulator = Simulator(slave)
    simulator.add_clock(1e-6)
    simulator.add_testbench(registers.serve, background=True)
    for bench in benches:
        simulator.add_testbench(bench)
    simulator.run()


async def send(ctx: Any, slave: AxiLiteSlave, channel: str, clocks: int, **payload: int) -> None:
    """Offer a transfer after some clock cycles."""
    for _ in range(clocks):
        await ctx.tick()
    for name, value in payload.items():
        ctx.set(getattr(slave, name), value)
    valid, ready = (getattr(slave, f"{channel}{end}") for end in ("valid", "ready"))
    ctx.set(valid, 1)
    await ctx.tick().until(ready)
    ctx.set(valid, 0)


async def take(ctx: Any, slave: AxiLiteSlave, channel: str, stall: int) -> dict[str, int]:
    """Accept a response after a stall; it must not change before."""
    valid, ready = (getattr(slave, f"{channel}{end}") for end in ("valid", "ready"))
    names = ["bresp"] if channel == "b" else ["rresp", "rdata"]
    while not ctx.get(valid):
        await ctx.tick()
    first = {name: ctx.get(getattr(slave, name)) for name in names}
    for _ in range(stall):
        await ctx.tick()
        assert ctx.get(valid)
        assert {name: ctx.get(getattr(slave, name)) for name in names} == first
    ctx.set(ready, 1)
    await ctx.tick()
    ctx.set(ready, 0)
    assert not ctx.get(valid)
    return first


@pytest.mark.parametrize(("address", "data"), [(0, 5), (5, 0), (0, 0)])
@pytest.mark.parametrize("stall", [0, 4])
def test_write_address_and_data_come_in_any_order(address: int, data: int, stall: int) -> None:
    slave = AxiLiteSlave()
    registers = Registers(slave, 2)

    async def addresses(ctx: Any) -> None:
        await send(ctx, slave, "aw", address, awaddr=0x10)

    async def words(ctx: Any) -> None:
        await send(ctx, slave, "w", data, wdata=0xCAFE, wstrb=0xF)

    async def responses(ctx: Any) -> None:
        assert await take(ctx, slave, "b", stall) == {"bresp": Response.OKAY}
        await send(ctx, slave, "ar", 0, araddr=0x10)
        assert await take(ctx, slave, "r", stall) == {"rresp": Response.OKAY, "rdata": 0xCAFE}
        await send(ctx, slave, "ar", 0, araddr=0x200)
        assert await take(ctx, slave, "r", stall) == {"rresp": Response.DECODE_ERROR, "rdata": 0}

    simulate(slave, registers, addresses, words, responses)
    assert registers.log == ["w", "r", "r"]


@pytest.mark.parametrize("ready", [0, 1])
def test_request_rises_two_cycles_after_the_last_transfer(ready: int) -> None:
    slave = AxiLiteSlave()

    async def bench(ctx: Any) -> None:
        ctx.set(slave.rready, ready)
        await send(ctx, slave, "ar", 0, araddr=4)
        clocks = 1
        while not ctx.get(slave.access.request):
            await ctx.tick()
            clocks += 1
        assert clocks == 2

    simulator = Simulator(slave)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_waiting_reads_and_writes_alternate() -> None:
    slave = AxiLiteSlave()
    registers = Registers(slave, 1)

    async def writes(ctx: Any) -> None:
        for word in range(8):
            await send(ctx, slave, "aw", 0, awaddr=4 * word)

    async def words(ctx: Any) -> None:
        for word in range(8):
            await send(ctx, slave, "w", 0, wdata=word, wstrb=0xF)

    async def reads(ctx: Any) -> None:
        for word in range(8):
            await send(ctx, slave, "ar", 0, araddr=4 * word)

    async def responses(ctx: Any) -> None:
        ctx.set(slave.bready, 1)
        ctx.set(slave.rready, 1)
        while len(registers.log) < 16:
            await ctx.tick()

    simulate(slave, registers, writes, words, reads, responses)
    assert sorted(registers.log) == ["r"] * 8 + ["w"] * 8
    assert "www" not in "".join(registers.log)
    assert "rrr" not in "".join(registers.log)


@pytest.mark.parametrize(
    ("inputs", "neurons", "lanes", "row_slots"),
    [
        (6, 4, 2, 1), (3, 5, 3, 1), (1, 1, 1, 1), (4, 7, 2, 1), (2, 8, 8, 1), (2, 1, 1, 1),
        (1, 6, 4, 1), (6, 4, 2, 2), (3, 11, 2, 2), (3, 11, 2, 3), (2, 11, 1, 5), (3, 7, 1, 6),
        (3, 7, 1, 7), (2, 13, 3, 4), (2, 13, 3, 5), (1, 9, 1, 3),
    ],
)  # fmt: skip
def test_every_element_maps_to_its_row_and_lane(
    inputs: int, neurons: int, lanes: int, row_slots: int
) -> None:
    config = Config.load("tiny").replace(
        layer__inputs=inputs, layer__neurons=neurons, layer__lanes=lanes,
        gates__synapses=row_slots * lanes,
    )  # fmt: skip
    (port,), sizes = element_ports(config), gate_sizes(config)

    async def bench(ctx: Any) -> None:
        ctx.set(port.word, MEMORIES["weights"].number)
        ctx.set(port.choose, 1)
        await ctx.tick()
        ctx.set(port.choose, 0)
        for start in range(inputs * neurons):
            ctx.set(port.word, start)
            await ctx.tick().repeat(2)
            assert ctx.get(port.inside)
            ctx.set(port.seek, 1)
            clocks = 0
            while not ctx.get(port.sought):
                await ctx.tick()
                ctx.set(port.seek, 0)
                clocks += 1
            assert clocks == port.seek_clocks(start)
            await ctx.tick()
            # Advance to the end from every fifth start.
            for element in range(start, inputs * neurons if start % 5 == 0 else start + 1):
                ctx.set(port.store, 1)
                row, neuron = divmod(element, neurons)
                slot, lane = divmod(neuron, lanes)
                assert ctx.get(port.host.weights_enable) == 1 << lane
                address = ctx.get(port.host.address) if len(port.host.address) else 0
                assert address == sizes.weight_address(row, slot)
                assert ctx.get(port.index) == element
                ctx.set(port.store, 0)
                ctx.set(port.advance, 1)
                await ctx.tick()
                ctx.set(port.advance, 0)
            assert ctx.get(port.ended) == (ctx.get(port.index) == inputs * neurons)
        # The state of a neuron is at its slot, after a choice and after a seek.
        for start in (0, neurons - 1, neurons // 2):
            ctx.set(port.word, MEMORIES["membrane"].number)
            ctx.set(port.choose, 1)
            await ctx.tick()
            ctx.set(port.choose, 0)
            if start:
                ctx.set(port.word, start)
                ctx.set(port.seek, 1)
                await ctx.tick()
                ctx.set(port.seek, 0)
                await ctx.tick().until(port.sought)
            for neuron in range(start, neurons):
                address = ctx.get(port.host.address) if len(port.host.address) else 0
                assert address == neuron // lanes
                ctx.set(port.advance, 1)
                await ctx.tick()
                ctx.set(port.advance, 0)

    simulator = Simulator(port)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_events_keep_order_and_strays_are_counted() -> None:
    entry = EventInput(6)
    chance = random.Random(1)
    sent = [(chance.randrange(256), int(chance.random() < 0.2)) for _ in range(300)]
    found: list[tuple[int, int]] = []
    dropped = 0

    async def source(ctx: Any) -> None:
        for address, last in sent:
            while chance.random() < 0.3:
                await ctx.tick()
            ctx.set(entry.tdata, address)
            ctx.set(entry.tlast, last)
            ctx.set(entry.tvalid, 1)
            await ctx.tick().until(entry.tready)
            ctx.set(entry.tvalid, 0)

    async def sink(ctx: Any) -> None:
        nonlocal dropped
        idle = 0
        while idle < 20:
            ctx.set(entry.pass_on, int(chance.random() < 0.8))
            ctx.set(entry.o.ready, int(chance.random() < 0.7))
            ready = ctx.get(entry.o.ready)
            _, _, valid, event, stray = await ctx.tick().sample(
                entry.o.valid, entry.o.payload, entry.dropped
            )
            if valid and ready:
                found.append((event.address, event.last))
            dropped += stray
            idle = 0 if valid or stray else idle + 1

    simulator = Simulator(entry)
    simulator.add_clock(1e-6)
    simulator.add_testbench(source)
    simulator.add_testbench(sink)
    simulator.run()
    kept = [(address, last) for address, last in sent if last or address < 6]
    assert [last for _, last in found] == [last for _, last in kept]
    assert [own for own, last in found if not last] == [own for own, last in kept if not last]
    assert dropped == len(sent) - len(kept) > 100


def test_targets_saturate_at_one_and_can_be_discarded() -> None:
    config = Config.load("tiny")  # two lanes, targets 0 ..= 16
    entry = TargetInput(config)

    async def bench(ctx: Any) -> None:
        for first, second, held in ((3, 16, 0), (17, 0, 1), (255, 255, 1)):
            ctx.set(entry.tdata, second << 8 | first)
            ctx.set(entry.tvalid, 1)
            assert ctx.get(entry.held) == held
            await ctx.tick()
            ctx.set(entry.tvalid, 0)
            assert ctx.get(entry.o.valid)
            assert not ctx.get(entry.tready)
            payload = ctx.get(entry.o.payload)
            assert [payload[0], payload[1]] == [min(first, 16), min(second, 16)]
            ctx.set(entry.o.ready, 1)
            await ctx.tick()
            ctx.set(entry.o.ready, 0)
            assert not ctx.get(entry.o.valid)
        ctx.set(entry.tvalid, 1)
        await ctx.tick()
        ctx.set(entry.discard, 1)
        assert not ctx.get(entry.held)
        ctx.set(entry.tvalid, 0)
        await ctx.tick()
        assert not ctx.get(entry.o.valid)

    simulator = Simulator(entry)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_output_event_is_held_until_it_is_transferred() -> None:
    way = EventOutput(300)

    async def bench(ctx: Any) -> None:
        ctx.set(way.i.payload, {"address": 299, "last": 0})
        ctx.set(way.i.valid, 1)
        await ctx.tick()
        ctx.set(way.i.payload, {"address": 7, "last": 1})
        for _ in range(3):
            assert (ctx.get(way.tvalid), ctx.get(way.tdata), ctx.get(way.tlast)) == (1, 299, 0)
            assert not ctx.get(way.i.ready)
            await ctx.tick()
        ctx.set(way.tready, 1)
        await ctx.tick()
        ctx.set(way.i.valid, 0)
        assert (ctx.get(way.tvalid), ctx.get(way.tdata), ctx.get(way.tlast)) == (1, 0, 1)
        await ctx.tick()
        assert not ctx.get(way.tvalid)

    simulator = Simulator(way)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
