"""A complete board in compiled RTL, driven by real programs through its serial port."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

import bitlif
from bitlif.hdl.bus.registers import REGISTERS
from bitlif.host.access_error import AccessError
from bitlif.host.link import RETRIES, Link, LinkTimeoutError
from bitlif.host.serial_port import open_serial
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.sim.backends.models import ModelCore
from bitlif.sim.compiled.board_sim import SimulatedBoard
from bitlif.sim.compiled.pseudo_terminal import LineNoise, PseudoTerminal
from bitlif.tasks.stimulus import random_work

TINY = Config.load("tiny")
AT = {name: register.offset for name, register in REGISTERS.items()}

HOST = """
import sys, numpy as np, bitlif
from bitlif import Config
with bitlif.open(Config.load("tiny"), "serial:" + sys.argv[1]) as core:
    print("open", flush=True)
    while True:
        core.load(np.full((6, 4), 3))
"""
"""A program that loads weights in a loop."""


class Executioner:
    """Kills a process with SIGKILL after the given number of bytes on the line."""

    def __init__(self, after: int) -> None:
        self.left, self.victim = after, None

    def __call__(self, data: bytes) -> bytes:
        if self.victim is None:
            return data
        passed, self.left = data[: self.left], self.left - len(data)
        if self.left > 0:
            return data
        self.victim.send_signal(signal.SIGKILL)
        self.victim = None
        return passed


@pytest.fixture(scope="module")
def board() -> SimulatedBoard:
    return SimulatedBoard(TINY)


def agree_with_the_model(path: str, seed: int, config: Config = TINY) -> None:
    work = random_work(config, seed=seed, windows=2)
    with bitlif.open(config, f"serial:{path}") as core, ModelCore(config) as model:
        for each in (core, model):
            each.load(work.weights)
        ours, theirs = (each.learn(work.events, work.targets) for each in (core, model))
        np.testing.assert_array_equal(ours.raster, theirs.raster)
        np.testing.assert_array_equal(core.weights(), model.weights())
        assert ours.counters == theirs.counters
        assert core.signature() == model.signature()


@pytest.mark.parametrize("after", [1, 30, 77, 150, 200])
def test_killed_host_leaves_a_board_that_must_be_loaded(board: SimulatedBoard, after: int) -> None:
    switch = Executioner(after)
    with PseudoTerminal(board, switch=switch) as terminal:
        host = subprocess.Popen(
            [sys.executable, "-c", HOST, terminal.path], stdout=subprocess.PIPE, text=True
        )
        assert host.stdout is not None
        assert host.stdout.readline() == "open\n"
        switch.victim = host
        assert host.wait() == -signal.SIGKILL
        host.stdout.close()
        link = Link(open_serial(terminal.path, 1_000_000))
        link.open()
        if link.read(AT["LOAD"]) == [1]:
            with pytest.raises(AccessError, match="CONTROL"):
                link.write(AT["CONTROL"], [1])
        link.close()
        agree_with_the_model(terminal.path, seed=after)


def test_host_killed_while_writing_weights_is_detected(board: SimulatedBoard) -> None:
    link: Link
    with PseudoTerminal(board) as terminal:
        link = Link(open_serial(terminal.path, 1_000_000))
        link.open()
        link.write(AT["LOAD"], [1])
        link.write(AT["MEMORY"], [0])
        link.write(AT["DATA"], [1, 2, 3], stay=True)
        link.close()
        link = Link(open_serial(terminal.path, 1_000_000))
        link.open()
        with pytest.raises(AccessError, match="CONTROL"):
            link.write(AT["CONTROL"], [1])
        link.write(AT["CONTROL"], [1 << 31])
        with pytest.raises(AccessError, match="CONTROL"):
            link.write(AT["CONTROL"], [1])
        link.close()
        agree_with_the_model(terminal.path, seed=5)


def test_learning_over_a_noisy_line_matches_the_model(board: SimulatedBoard) -> None:
    noise = LineNoise(flip=3e-4, drop=3e-4, repeat=3e-4, seed=9)
    with PseudoTerminal(board, noise) as terminal:
        agree_with_the_model(terminal.path, seed=6)


def test_board_with_wide_rows_learns_as_the_model(quick: None) -> None:
    gates = {"synapses": 6, "products": 4, "single_port": "weights"}
    wide = TINY.replace(layer__neurons=11, layer__lanes=2, gates=gates)
    with PseudoTerminal(SimulatedBoard(wide)) as terminal:
        agree_with_the_model(terminal.path, 7, wide)
        # Results and files do not depend on the widths: another configuration may be opened.
        agree_with_the_model(terminal.path, 8, wide.replace(gates={"synapses": 2}))


def test_disconnected_line_is_one_error_after_the_retries(board: SimulatedBoard) -> None:
    cut = False
    with PseudoTerminal(board, switch=lambda data: None if cut else data) as terminal:
        with bitlif.open(TINY, f"serial:{terminal.path}") as core:
            cut = True
            # The error comes after the retries of the link, independent of the load of the machine.
            said = f"{terminal.path}.*did not answer: .* was sent {1 + RETRIES} times"
            with pytest.raises(LinkTimeoutError, match=said):
                core.weights()
        with pytest.raises(BitlifError, match="did not answer"):
            bitlif.open(TINY, f"serial:{terminal.path}")


def test_board_of_another_configuration_is_refused(board: SimulatedBoard) -> None:
    other = TINY.replace(membrane__threshold=0.75)
    with (
        PseudoTerminal(board) as terminal,
        pytest.raises(BitlifError, match="must have been built from configuration tiny"),
    ):
        bitlif.open(other, f"serial:{terminal.path}")
