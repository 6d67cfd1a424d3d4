"""A reset of one clock cycle works at any time and from any state."""

from __future__ import annotations

import re
from typing import Any

import pytest
from bus_host import AT, FLUSH, IDLE, LEARN, READY, RESET, RUN, WAITING, BusHost
from core_host import SHOWN, CoreHost
from uart_peer import EVENTS, OPEN, READ, WRITE, Peer, framed, number_of, request

from bitlif.hdl.bus.registers import elements
from bitlif.host.event_codec import encode_input
from bitlif.model.config.config import Config
from bitlif.sim.compiled.board_sim import TOP, SimulatedBoard, board_verilog, levels_of
from bitlif.sim.compiled.stepper import SteppedDesign, without_initial_values
from bitlif.tasks.scenario import Work
from bitlif.tasks.stimulus import random_work

LENGTHS = (1, 2, 3)

LONGER = [1, *(pytest.param(length, marks=pytest.mark.long) for length in LENGTHS[1:])]
"""One clock cycle is the least that may suffice: by night, longer resets too."""

SATURATING = {
    # Every counter counts in nearly every clock cycle that can count.
    "synapse__current": "s8.6", "membrane__format": "s8.6", "trace__current": "u7.6",
    "trace__format": "u6.6", "error__format": "s5.4", "learning__rate": 4.0, "window__steps": 3,
}  # fmt: skip

VARIANTS: dict[str, dict[str, Any]] = {
    "carried": {"window__state": "carry", "window__trace": "carry"},
    "teacher, one by one": {
        "membrane__reset": "teacher", "layer__neurons": 1, "layer__lanes": 1, "layer__inputs": 1,
        "window__lfsr": "clear",
    },
    "wide rows": {
        "layer__neurons": 5, "layer__lanes": 1,
        "gates": {"synapses": 3, "products": 2, "single_port": "weights"},
    },
    "uneven lanes, no noise in updates": {
        "layer__neurons": 7, "layer__lanes": 3, "learning__random_bits": 0,
    },
}  # fmt: skip


def config_of(name: str) -> Config:
    return Config.load("tiny").replace(**SATURATING, **VARIANTS[name])


def passed(host: CoreHost, work: Work) -> tuple[Any, ...]:
    """Return all outputs of a core from the loading of its weights on."""
    host.load(work.weights)
    return host.run(work), host.read()


def differences(found: Any, expected: Any) -> list[str]:
    """Return the first difference."""
    for clock, (one, other) in enumerate(zip(found[0], expected[0], strict=False)):
        if one != other:
            names = [*SHOWN, "o_events__payload"]
            return [
                f"{name} in cycle {clock}: {a}, not {b}"
                for name, a, b in zip(names, one, other, strict=True) if a != b
            ]  # fmt: skip
    return [name for name in expected[1] if found[1][name] != expected[1][name]]


@pytest.mark.parametrize("length", LONGER)
@pytest.mark.parametrize("learning", [True, False])
@pytest.mark.parametrize("name", VARIANTS)
def test_short_reset_at_any_time_equals_a_long_one(name: str, learning: bool, length: int) -> None:
    config = config_of(name)
    host = CoreHost(config, learning=learning)
    first, second = random_work(config, 2, 1), random_work(config, 5, 2)
    clearing = host.reset(3)
    expected = passed(host, second)
    host.reset(3)
    host.load(first.weights)
    cycles = len(host.run(first))
    assert cycles > 30
    wrong = []
    for cycle in range(cycles + 1):
        host.load(first.weights)
        host.run(first, until=cycle)
        # The streams keep their valid signals and payloads.
        waited = host.reset(length)
        found = passed(host, second)
        if waited != clearing or found != expected:
            wrong.append((cycle, waited, differences(found, expected)))
    assert not wrong, f"{len(wrong)} of {cycles + 1}, first: {wrong[0]}"


def test_scrambling_removes_initial_values_of_registers() -> None:
    text = board_verilog(Config.load("tiny"), divisor=DIVISOR)
    kept = re.findall(r"^ *reg .*=.*$", without_initial_values(text), re.MULTILINE)
    assert len(re.findall(r"^ *reg .*=.*$", text, re.MULTILINE)) > 200
    # Registers that Yosys adds to make its blocks run at time zero.
    assert all("dump_module" in line for line in kept), kept


@pytest.mark.parametrize("learning", [True, False])
def test_one_cycle_reset_recovers_from_any_state(learning: bool) -> None:
    config = config_of("carried")
    work = random_work(config, 5, 2)
    own = CoreHost(config, learning=learning)
    own.reset(3)
    expected = passed(own, work)
    for seed in range(1, 21):
        host = CoreHost(config, learning=learning, scrambled=True, seed=seed)
        host.reset(1)
        found = passed(host, work)
        assert found == expected, (seed, differences(found, expected))


# -- AXI top -------------------------------------------------------------------------------------

BUS_CYCLES = range(260)
"""Clock cycles from the last access before a window until after its end."""


@pytest.fixture(scope="module")
def bus() -> BusHost:
    return BusHost(config_of("carried"))


def start(host: BusHost, clocks: int) -> None:
    """Reset at the pin for the given number of clock cycles."""
    host.reset_pin(clocks)
    host.wait(READY | IDLE | WAITING, READY | IDLE)


def run_on_bus(host: BusHost, work: Work) -> dict[str, Any]:
    """Run windows; return all that the buses can read afterwards."""
    host.begin(work)
    host.finish()
    return host.everything()


def new_on_bus(host: BusHost, work: Work) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return all that the buses can read of a core with new weights, and after a run."""
    start(host, 3)
    host.load(work.weights)
    new = host.everything()
    return new, run_on_bus(host, work)


def test_bus_reset_at_any_time_equals_a_long_one(bus: BusHost) -> None:
    first, second = random_work(bus.config, 2, 1), random_work(bus.config, 5, 2)
    new, expected = new_on_bus(bus, second)
    new["CONTROL"] = FLUSH | LEARN
    wrong, finished = [], 0
    for cycle in BUS_CYCLES:
        start(bus, 3)
        bus.begin(first)
        bus.clocks(cycle)
        finished += bus.read("WINDOWS")
        bus.write("CONTROL", RESET | FLUSH | LEARN)
        # Events offered before the response have been transferred; none may follow.
        bus.spikes.clear()
        bus.wait(READY | IDLE, READY | IDLE)
        while bus.events or bus.targets:
            bus.clock()
        bus.load(second.weights)
        for found, right in ((bus.everything(), new), (run_on_bus(bus, second), expected)):
            differ = [(name, found[name]) for name in right if found[name] != right[name]]
            wrong += [(cycle, differ)] if differ else []
    assert not wrong, f"{len(wrong)}, first: {wrong[0]}"
    assert 0 < finished < len(BUS_CYCLES)


def test_only_a_waiting_event_follows_a_bus_reset(bus: BusHost) -> None:
    first = random_work(bus.config, 2, 1)
    waiting = 0
    for cycle in BUS_CYCLES[::3]:
        start(bus, 3)
        bus.begin(first)
        bus.takes = False
        bus.clocks(cycle)
        offered = bus.read("STATUS") & WAITING
        bus.write("CONTROL", RESET | FLUSH | LEARN)
        bus.takes = True
        bus.wait(READY | IDLE | WAITING, READY | IDLE)
        assert len(bus.spikes) in ((1,) if offered else (0, 1)), cycle
        waiting += bool(offered)
    assert waiting


@pytest.mark.parametrize("length", LENGTHS)
def test_one_cycle_pin_reset_at_any_time_equals_a_long_one(bus: BusHost, length: int) -> None:
    first, second = random_work(bus.config, 2, 1), random_work(bus.config, 5, 2)
    _, expected = new_on_bus(bus, second)
    for cycle in BUS_CYCLES[length - 1 :: 3]:
        bus.begin(first)
        bus.clocks(cycle)
        start(bus, length)
        assert run_on_bus(bus, second) == expected, cycle


def test_one_cycle_pin_reset_recovers_a_bus_from_any_state() -> None:
    config = config_of("carried")
    work = random_work(config, 5, 2)
    expected: Any = None
    for seed in range(20):
        host = BusHost(config, scrambled=bool(seed), seed=max(1, seed))
        start(host, 1)
        found = run_on_bus(host, work)
        expected = expected or found
        assert found == expected, seed


# -- UART top ------------------------------------------------------------------------------------

DIVISOR = 4

ROWS = (
    (AT["INPUTS"], 7), (AT["CONTROL"], 7), (AT["CURRENT_SATURATIONS"], 7), (AT["MEMORY"], 2),
    (AT["LOAD"], 1),
)  # fmt: skip
"""Blocks of consecutive registers: offset of the first, and their number."""


def registers_of(peer: Peer) -> list[int]:
    """Return all registers from INPUTS on, with element 0 of the weights selected."""
    peer.write(AT["MEMORY"], [0])
    return [word for first, count in ROWS for word in peer.read(first, count)]


def wait_on_line(peer: Peer, mask: int) -> None:
    """Wait until STATUS has the given bits."""
    for _ in range(1000):
        if peer.read(AT["STATUS"])[0] & mask == mask:
            return
    raise AssertionError(f"STATUS does not become {mask}")


def run_on_line(peer: Peer, config: Config, work: Work) -> Any:
    """Load and learn; return all that the line can read."""
    peer.write(AT["MEMORY"], [0])
    peer.write(AT["DATA"], [int(weight) for weight in work.weights.ravel()], stay=True)
    peer.write(AT["CONTROL"], [RUN | LEARN])
    spikes = peer.ask(EVENTS, encode_input(config, work.events, work.targets).data)
    peer.write(AT["CONTROL"], [LEARN])
    wait_on_line(peer, IDLE)
    found: dict[str, Any] = {"spikes": spikes[1:], "registers": registers_of(peer)}
    for name, own in elements(config).items():
        peer.write(AT["MEMORY"], [own.memory.number])
        found[name] = peer.read(AT["DATA"], own.count, stay=True)
    return found


def test_uart_reset_at_any_cycle_of_an_update_equals_a_long_one() -> None:
    # The update takes longer than the previous answer and the request for the reset.
    config = Config.load("tiny").replace(
        **{**SATURATING, "window__steps": 1}, layer__inputs=255, layer__neurons=16, layer__lanes=1,
        membrane__threshold=0.05,
    )  # fmt: skip
    work = random_work(config, 1, 1)
    items = encode_input(config, work.events, work.targets).data
    peer = Peer(SimulatedBoard(config, divisor=DIVISOR), patience=400)
    peer.open()
    reset = number_of(1 << 31 | LEARN, 4)
    peer.ask(WRITE, number_of(AT["CONTROL"], 2) + reset)
    wait_on_line(peer, READY | IDLE)
    new = registers_of(peer)
    # The same number of bytes as the write to CONTROL: the window is still in progress.
    where = number_of(AT["WINDOWS"], 2) + bytes([1])
    late = range(36)
    for cycle in (*late, -1):
        peer.write(AT["CONTROL"], [RUN | LEARN])
        peer.number += 1
        line = peer.board.send(framed(request(peer.number, EVENTS, items)))
        while line.count(b"\x7e") < 2:
            line += peer.board.send(b"", 1)
        peer.board.send(b"", max(cycle, late[-1] if cycle < 0 else 0))
        if cycle < 0:
            assert peer.ask(READ, where + bytes(3))[3] == bytes(4)
        else:
            peer.ask(WRITE, number_of(AT["CONTROL"], 2) + reset)
            wait_on_line(peer, READY | IDLE)
            assert registers_of(peer) == new, cycle


def test_one_cycle_pin_reset_of_a_uart_equals_a_long_one() -> None:
    config = config_of("carried")
    first, second = random_work(config, 2, 1), random_work(config, 5, 2)
    frame = framed(
        request(65536 + 4, EVENTS, encode_input(config, first.events, first.targets).data)
    )
    peer = Peer(SimulatedBoard(config, divisor=DIVISOR), patience=400)
    expected: Any = None
    for cycle in range(-1, 260, 5):
        peer.board.reset(8)
        peer.open()
        peer.write(AT["MEMORY"], [0])
        peer.write(AT["DATA"], [int(weight) for weight in first.weights.ravel()], stay=True)
        peer.write(AT["CONTROL"], [RUN | LEARN])
        # The reset can come during a request, a window or an answer.
        peer.board.send(frame[: max(2, len(frame) - cycle % 3)], max(0, cycle))
        peer.board.reset(1 + cycle % 3 if cycle >= 0 else 8)
        peer.board.send(b"", 500)
        peer.open()
        assert peer.number == 65536
        wait_on_line(peer, READY | IDLE)
        found = run_on_line(peer, config, second)
        expected = expected or found
        assert found == expected, cycle


def test_one_cycle_pin_reset_recovers_a_uart_from_any_state() -> None:
    config = config_of("carried")
    verilog = board_verilog(config, divisor=DIVISOR)
    frames = [request(1, OPEN), *(
        request(65537 + k, READ, number_of(first, 2) + bytes([count]))
        for k, (first, count) in enumerate(ROWS)
    )]  # fmt: skip
    expected: list[int] = []
    for seed in range(11):
        design = SteppedDesign(verilog, TOP, scrambled=bool(seed), seed=max(1, seed))
        design.clock(rst=1, rx=1)
        design.inputs["rst"] = 0
        line = []
        for frame in frames:
            for level in levels_of(framed(frame)).tolist() + [1] * 700:
                for _ in range(DIVISOR):
                    line.append(design.clock(rx=level)["tx"])
        expected = expected or line
        assert line == expected, seed
    assert 0 in expected
