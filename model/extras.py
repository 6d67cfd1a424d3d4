"""Optional packages: reports a missing one with the command that installs it.

The command lists the packages with their versions. ``pip install 'bitlif[gates]'`` would work only
if bitlif was installed from an index, not from a checkout or a wheel.
"""

from __future__ import annotations

import importlib
import re
from importlib import metadata

from .errors import BitlifError

PROJECT = "bitlif"


def require_extra(need: str, extra: str, *modules: str) -> None:
    """Raise unless all modules can be imported.

    Parameters
    ----------
    need : str
        The purpose, as in ``"gates need Amaranth"``; ``{}`` stands for the missing module.
    extra : str
        The extra of ``pyproject.toml`` that the modules belong to.
    *modules : str

    Raises
    ------
    BitlifError
        If a module is missing. The message ends with the command that installs it.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise missing_extra(need.format(module), extra, error) from error


def missing_extra(need: str, extra: str, error: ImportError) -> BitlifError:
    """Return the error for a package that could not be imported.

    Parameters
    ----------
    need : str
        The purpose, as in ``"gates need Amaranth"``.
    extra : str
        The extra of ``pyproject.toml`` that the package belongs to.
    error : ImportError
        The error raised by importing it.
    """
    if not isinstance(error, ModuleNotFoundError):
        return BitlifError(f"{need}, which cannot be imported: {error}")
    return BitlifError(f"{need}, which is not installed: {install_command(extra)}")


def install_command(extra: str) -> str:
    """Return the command that installs the missing packages of an extra, or all if none is missing.

    It works whether bitlif was installed from an index, a wheel or a checkout.
    """
    wanted = requirements(extra)
    missing = [own for own in wanted if not _is_installed(own)]
    words = " ".join(f"'{own}'" for own in missing or wanted)
    # Without metadata, bitlif runs from its sources and pip does not know its extras.
    return f"pip install {words}" if words else f"install the extra '{extra}' of pyproject.toml"


def requirements(extra: str) -> list[str]:
    """Return the requirements of an extra, with included extras replaced by theirs."""
    try:
        lines = metadata.requires(PROJECT) or []
    except metadata.PackageNotFoundError:
        return []
    found: list[str] = []
    for line in lines:
        requirement, _, marker = line.partition(";")
        if re.search(rf"""extra\s*==\s*["']{re.escape(extra)}["']""", marker) is None:
            continue
        if own := re.fullmatch(rf"{PROJECT}\[([\w,\s-]+)\]", requirement.strip()):
            found += [one for name in own[1].split(",") for one in requirements(name.strip())]
        else:
            found.append(requirement.strip())
    return list(dict.fromkeys(found))


def _is_installed(requirement: str) -> bool:
    name = re.match(r"[\w.-]+", requirement)
    assert name is not None
    try:
        metadata.version(name[0])
    except metadata.PackageNotFoundError:
        return False
    return True
