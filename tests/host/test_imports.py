"""What the host software needs: the standard library, pyserial, and NumPy for configurations."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import bitlif.host

STANDARD_LIBRARY_ONLY = {"access_error", "frames", "link", "serial_port"}
"""Modules of `bitlif.host` that also run without NumPy."""

MODULES = sorted(module.name for module in pkgutil.iter_modules(bitlif.host.__path__))

BLOCK = """
import sys

class Blocker:
    allowed = {{*sys.stdlib_module_names, "bitlif", *{allowed!r}}}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in self.allowed:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

sys.meta_path.insert(0, Blocker())
for name in ("amaranth", "cocotb", "numba"):
    sys.modules[name] = None
"""
"""Code after which only the standard library, bitlif and some packages can be imported."""

CONFIGURATION = ("numpy", "tomli_w")
"""Packages that a configuration needs: arrays, and the TOML text from which its hash is made."""

IDENTIFY = """
from bitlif.hdl.bus.registers import IDENTITY, REGISTERS, constants
from bitlif.host.driver import Driver, run_sync
from bitlif.host.event_codec import encode_input
from bitlif.model.config.config import Config
from bitlif.model.config.toml import config_hash
from bitlif.model.events import Events

config = Config.load("tiny")
number = int(config_hash(config), 16)
words = {"IDENTITY": IDENTITY, **constants(config, learning=True)}
words |= {"CONFIG_HASH_LOW": number & 0xFFFFFFFF, "CONFIG_HASH_HIGH": number >> 32}
by_offset = {REGISTERS[name].offset: word for name, word in words.items()}

async def read(offset):
    return by_offset.get(offset, REGISTERS["VARIANT"].field("learning").mask)

async def write(offset, word):
    pass

run_sync(Driver(config, read, write).identify())
events = Events.from_times([0, 3], [1, 5], steps=16, units=6, windows=1)
print(len(encode_input(config, events, None).data))
"""


def run_blocked(allowed: tuple[str, ...], code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new Python in which only some packages can be imported."""
    # The finder of an editable installation is not a separate package.
    finders = tuple(name for name in sys.modules if name.startswith("__editable__"))
    command = [sys.executable, "-c", BLOCK.format(allowed=(*allowed, *finders)) + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", MODULES)
def test_host_module_needs_few_packages(module: str) -> None:
    allowed = () if module in STANDARD_LIBRARY_ONLY else CONFIGURATION
    done = run_blocked(allowed, f"import bitlif.host.{module}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("module", ["bitlif.hdl.uart.protocol", "bitlif.hdl.bus.response"])
def test_protocol_numbers_need_the_standard_library_only(module: str) -> None:
    done = run_blocked((), f"import {module}")
    assert (done.returncode, done.stderr) == (0, "")


def test_driver_works_without_the_packages_of_gates() -> None:
    done = run_blocked(CONFIGURATION, IDENTIFY)
    assert (done.returncode, done.stderr) == (0, "")
    # One byte for each of two events and sixteen ends of a step.
    assert done.stdout == "18\n"
    assert "numpy is blocked" in run_blocked((), IDENTIFY).stderr


def test_list_of_modules_is_complete() -> None:
    assert set(MODULES) > STANDARD_LIBRARY_ONLY
    assert {"driver", "event_codec"} <= set(MODULES)
