"""Objects are shown in one line of at most 100 characters, and as escaped tables in notebooks."""

from __future__ import annotations

import html.parser
from typing import Any

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.display import LINE, html_table, one_line
from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.result import LAYER_RECORDS, Result

NAMES = ("tiny", "a" * 200, "<script>alert(1)</script>&\"'", "名" * 100)


def large_result(*records: str) -> Result:
    raster = np.broadcast_to(np.ones(1, np.uint8), (99999, 65536, 65536))[:3, :4, :]
    return Result(raster, {"synaptic_events": 7}, **dict.fromkeys(records, np.zeros(1)))


def shown(name: str) -> list[Any]:
    config = Config.load("tiny").replace(name=name)
    events = Events(np.zeros(0, np.int32), np.zeros((1 << 20) * 8 + 1, np.int64), 1 << 20, 1 << 16)
    return [
        config, Layer(config), FloatLayer(config, seed=(1 << 63) - 1, matched=True), events,
        large_result(), large_result("draws"), large_result(*LAYER_RECORDS),
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_repr_is_one_short_printable_line(name: str) -> None:
    for value in shown(name):
        text = repr(value)
        assert text.startswith(f"<{type(value).__name__} ")
        assert text.endswith(">")
        assert len(text) <= LINE == 100
        assert text.isprintable()


def test_repr_gives_name_sizes_and_counts() -> None:
    tiny = Config.load("tiny")
    assert repr(tiny) == "<Config name='tiny' inputs=6 neurons=4 lanes=2 steps=16 phases=2>"
    layer = Layer(tiny)
    events = Events.from_times([0, 16], [5, 3], steps=16, units=6)
    assert repr(events) == "<Events windows=2 steps=16 units=6 spikes=2>"
    layer.learn(events, np.zeros((2, 4), np.uint16))
    assert repr(layer) == "<Layer name='tiny' inputs=6 neurons=4 windows_learned=2>"
    result = Result(np.eye(4, dtype=np.uint8)[None], draws=np.zeros((1, 4, 4)))
    assert repr(result) == "<Result windows=1 steps=4 neurons=4 spikes=4 recorded=draws>"


class Strict(html.parser.HTMLParser):
    """Collects text and refuses every tag and attribute but those of a plain table."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("table", "caption", "tr", "th", "td")
        assert attrs == []
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("name", NAMES)
def test_html_is_a_small_table_of_escaped_text(name: str) -> None:
    for value in shown(name):
        reader = Strict()
        reader.feed(value._repr_html_())
        assert reader.open == []
        assert reader.texts[0] == type(value).__name__
        assert len(value._repr_html_()) < 4000
        if hasattr(value, "config"):
            assert reader.texts[1] == "name"
            assert reader.texts[2] == value.config.name


def test_html_of_a_result_has_its_counters_and_records() -> None:
    text = large_result("draws", "errors")._repr_html_()
    assert "<th>synaptic_events</th><td>7</td>" in text
    assert "<th>recorded</th><td>draws, errors</td>" in text


def test_names_and_values_are_escaped() -> None:
    assert "<b>" not in html_table("<b>", {"<b>": ("<b>", "&")})
    assert one_line("A", {"x": "\n"}) == r"<A x='\n'>"
