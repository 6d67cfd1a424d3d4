"""Packages that only some commands need: what to install where one is missing.

A hint names the packages themselves, with their versions. ``pip install 'bitlif[gates]'`` would
work only for who installed bitlif from an index, not from a checkout or a wheel.
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
        Who needs what, as in ``"gates need Amaranth"``; ``{}`` in it stands for the module.
    extra : str
        The optional dependencies (``pyproject.toml``) to which they belong.
    *modules : str

    Raises
    ------
    BitlifError
        If a module is missing; the sentence ends with the command that installs it.
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
        Who needs what, as in ``"gates need Amaranth"``.
    extra : str
        The optional dependencies to which the package belongs.
    error : ImportError
        What importing it raised.
    """
    if not isinstance(error, ModuleNotFoundError):
        return BitlifError(f"{need}, which cannot be imported: {error}")
    return BitlifError(f"{need}, which is not installed: {install_command(extra)}")


def install_command(extra: str) -> str:
    """Return the command that installs what is missing of an extra, or all of it if nothing is.

    It works wherever bitlif itself came from: an index, a wheel, a checkout.
    """
    wanted = requirements(extra)
    missing = [own for own in wanted if not _is_installed(own)]
    words = " ".join(f"'{own}'" for own in missing or wanted)
    # Without metadata bitlif is run from its sources, and pip knows nothing of its extras.
    return f"pip install {words}" if words else f"install the extra '{extra}' of pyproject.toml"


def requirements(extra: str) -> list[str]:
    """Return an extra's requirements, those of extras that it includes in their place."""
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
