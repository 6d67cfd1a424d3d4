"""The report page in a real browser, opened from disk without a network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from bitlif.study.report.findings import analyse
from bitlif.study.report.page import render_page
from bitlif.study.search.results import read_results

import study_rows
from study_data import flasks, run_here, unrelated

WIDTHS = (1200, 480)
HEIGHT = 900

TIMEOUT = 600
"""Seconds to wait for a page to change; a busy machine may take minutes."""


def program(name: str) -> str:
    path = shutil.which(name)
    assert path, f"{name} is missing: sudo apt-get install chromium chromium-driver"
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = program("chromium")
    for flag in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
        "disable-background-networking", "disable-component-update", "disable-sync",
        f"user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # Given the path, Selenium does not look for a driver on the network.
    made = Chrome(options=options, service=Service(program("chromedriver")))
    yield made
    made.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for name, board in (("grid_study", "icebreaker"), ("random_study", None),
                        ("line_study", None), ("failed_study", None)):  # fmt: skip
        folder = getattr(study_rows, name)(tmp_path_factory.mktemp(name))
        made[name] = folder / "report.html"
        made[name].write_text(render_page(analyse(read_results(folder), board=board)), "utf-8")
    for name, data in (("own_data", flasks()), ("own_chance", unrelated())):
        folder = run_here(tmp_path_factory.mktemp(name), data)
        made[name] = folder / "report.html"
        made[name].write_text(render_page(analyse(read_results(folder), 0.1)), "utf-8")
    return made


def set_width(browser: Chrome, width: int) -> None:
    # Emulation allows viewports narrower than the smallest window.
    size = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def show(browser: Chrome, path: Path, width: int = WIDTHS[0]) -> None:
    """Open a page and wait until all plots are drawn."""
    set_width(browser, width)
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(path.as_uri())
    WebDriverWait(browser, TIMEOUT).until(
        lambda own: all(
            place.find_elements(By.CSS_SELECTOR, ".main-svg") for place in plots_of(own)
        )
    )


def plots_of(browser: Chrome) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, "[data-plot]")


def in_page(browser: Chrome, script: str, *arguments: Any) -> Any:
    return browser.execute_script(f"return {script}", *arguments)  # type: ignore[no-untyped-call]


def requests_of(browser: Chrome) -> list[str]:
    messages = [json.loads(row["message"])["message"] for row in browser.get_log("performance")]
    return [
        own["params"]["request"]["url"]
        for own in messages
        if own["method"] == "Network.requestWillBeSent"
    ]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "name", ["grid_study", "random_study", "line_study", "failed_study", "own_data", "own_chance"]
)
def test_page_loads_nothing_and_fits_the_width(
    browser: Chrome, pages: dict[str, Path], name: str, width: int
) -> None:
    show(browser, pages[name], width)
    assert browser.get_log("browser") == []
    # Embedded images have data URLs, which are not fetched.
    requested = [url for url in requests_of(browser) if not url.startswith("data:")]
    assert requested == [pages[name].as_uri()]
    assert in_page(browser, "performance.getEntriesByType('resource').length") == 0
    assert in_page(browser, "window.innerWidth") == width
    assert in_page(browser, "document.documentElement.scrollWidth") <= width
    for place in plots_of(browser):
        assert place.size["width"] <= width
        marks = ".point, .hm image, .js-line"
        assert place.find_elements(By.CSS_SELECTOR, marks), place.get_attribute("id")


def traces(browser: Chrome, place: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = in_page(
        browser, f"document.getElementById('{place}').data.map(({{name, x}}) => ({{name, x}}))"
    )
    return found


def test_front_shows_settings_and_follows_the_chosen_cost(
    browser: Chrome, pages: dict[str, Path]
) -> None:
    show(browser, pages["grid_study"])
    place = browser.find_element(By.ID, "front")
    in_page(browser, "arguments[0].scrollIntoView({block: 'center'})", place)
    dominated, front = traces(browser, "front")[:2]
    assert (dominated["name"], front["name"]) == ("dominated", "front")
    # 23 points have a score; the other one failed.
    assert len(dominated["x"]) + len(front["x"]) == 23
    assert front["x"] == sorted(front["x"])
    points = place.find_elements(By.CSS_SELECTOR, ".scatterlayer .point")
    ActionChains(browser).move_to_element(points[len(dominated["x"])]).perform()
    WebDriverWait(browser, TIMEOUT).until(
        lambda own: own.find_elements(By.CSS_SELECTOR, "#front .hoverlayer .hovertext")
    )
    text = place.find_element(By.CSS_SELECTOR, ".hoverlayer .hovertext").text
    for part in ("synapse.weight.bits = 3", "noise.words = ", "95 % in [", "3 seeds"):
        assert part in text
    choice = Select(browser.find_element(By.ID, "front-choice"))
    assert [own.text for own in choice.options] == [
        "bits that the layer stores", "synaptic operations"
    ]  # fmt: skip
    choice.select_by_visible_text("synaptic operations")
    WebDriverWait(browser, TIMEOUT).until(lambda own: traces(own, "front")[1]["x"] != front["x"])
    assert "synaptic operations" in place.find_element(By.CSS_SELECTOR, ".xtitle").text


def test_chosen_axes_change_the_heat_map(browser: Chrome, pages: dict[str, Path]) -> None:
    show(browser, pages["grid_study"])

    def title() -> str:
        return browser.find_element(By.CSS_SELECTOR, "#grid .xtitle").text

    # The strongest interaction comes first.
    assert title() == "schedule.sigma"
    Select(browser.find_element(By.ID, "grid-choice")).select_by_index(1)
    WebDriverWait(browser, TIMEOUT).until(lambda _: title() != "schedule.sigma" or None)
    assert title() == "noise.words"


def shown_points(browser: Chrome) -> list[int]:
    script = (
        "Array.from(document.querySelectorAll('#table tbody tr:not([hidden])'), "
        "(row) => Number(row.cells[0].textContent))"
    )
    points: list[int] = in_page(browser, script)
    return points


def test_table_can_be_sorted_and_filtered(browser: Chrome, pages: dict[str, Path]) -> None:
    show(browser, pages["grid_study"])
    assert shown_points(browser) == list(range(24))
    (head,) = (
        own
        for own in browser.find_elements(By.CSS_SELECTOR, "#table th button")
        if own.text.startswith("test accuracy")
    )
    results = read_results(pages["grid_study"].parent)
    mean = results.means("accuracy").mean
    order = [int(own) for own in mean.argsort() if own != study_rows.FAILED_OF_GRID]
    in_page(browser, "arguments[0].scrollIntoView({block: 'center'})", head)
    head.click()
    # The failed point has no accuracy and stays last.
    assert shown_points(browser) == [*order, study_rows.FAILED_OF_GRID]
    head.click()
    assert shown_points(browser) == [*order[::-1], study_rows.FAILED_OF_GRID]
    field = browser.find_element(By.ID, "filter")
    field.send_keys("noise.words = 2, bits = 8")
    expected = [
        point
        for point in order[::-1]
        if results.settings["noise.words"][point] == 2
        and results.settings["synapse.weight.bits"][point] == 8
    ]
    assert len(expected) == 2
    assert shown_points(browser) == expected
    assert browser.find_element(By.ID, "count").text == "2 of 24 points"


def test_markup_in_a_study_is_shown_as_text(browser: Chrome, pages: dict[str, Path]) -> None:
    show(browser, pages["grid_study"])
    row = browser.find_element(By.CSS_SELECTOR, "#failures tbody tr")
    assert row.text.endswith('noise.words must be <1 & "2" here</script><b>')
    assert not browser.find_elements(By.CSS_SELECTOR, "main b")


def test_recommended_configuration_can_be_copied(browser: Chrome, pages: dict[str, Path]) -> None:
    show(browser, pages["grid_study"])
    button = browser.find_element(By.CSS_SELECTOR, "button[data-copy]")
    in_page(browser, "arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    assert button.text == "copied"
    found = analyse(read_results(pages["grid_study"].parent))
    # The selection ends before the final line feed.
    selected = in_page(browser, "getSelection().toString()")
    assert selected.rstrip("\n") == found["recommended"]["config"].rstrip("\n")


def test_study_of_own_data_shows_chance_and_diagnosis(
    browser: Chrome, pages: dict[str, Path]
) -> None:
    show(browser, pages["own_data"])
    summary = browser.find_element(By.ID, "summary").text
    assert "Recommended: point" in summary
    assert "points are above chance" in summary
    assert "flasks.csv: 36 windows (table)" in browser.find_element(By.ID, "study").text
    rows = browser.find_elements(By.CSS_SELECTOR, "#diagnosis tbody tr")
    assert len(rows) == 12
    assert "saturated membranes (% of neuron-steps)" in rows[1].text


def test_study_at_chance_recommends_nothing(browser: Chrome, pages: dict[str, Path]) -> None:
    show(browser, pages["own_chance"])
    cards = [card.text for card in browser.find_elements(By.CSS_SELECTOR, ".card")]
    assert cards[1].startswith(
        "Nothing is recommended\nNo point is recommended: none of 4 is above"
    )
    assert not browser.find_elements(By.ID, "config")
