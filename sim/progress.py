"""Who is told when something is about to take long."""

from __future__ import annotations

from collections.abc import Callable

listeners: list[Callable[[str], None]] = []
"""Called with one sentence when a core is about to be built: that takes seconds or minutes."""
