"""The looks and the behaviour of a report's page: its style sheet and its script."""

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: #1a1a1a; line-height: 1.5; font: 16px/1.5 system-ui,
  -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
main { max-width: 1180px; margin: 0 auto; padding: 1.2rem clamp(0.8rem, 3vw, 2rem) 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0.4rem 0 0; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 0.5rem; padding-bottom: 0.25rem;
  border-bottom: 2px solid #0072b2; }
h3 { font-size: 1rem; margin: 0 0 0.3rem; }
p { margin: 0.5rem 0; max-width: 52rem; }
nav { display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; margin: 0.8rem 0; }
a { color: #00568a; }
.quiet { color: #555; font-size: 0.92rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr));
  gap: 1rem; margin: 1rem 0; }
.card { border: 1px solid #ccc; border-top: 5px solid #8c8c8c; border-radius: 6px;
  padding: 0.8rem 1rem; }
.card.best { border-top-color: #009e73; }
.card.recommended { border-top-color: #d55e00; }
.card.board { border-top-color: #e69f00; }
.card .large { font-size: 1.5rem; font-weight: 600; line-height: 1.3; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 0.1rem 0.9rem; margin: 0.5rem 0; }
dt { color: #555; }
dd { margin: 0; font-variant-numeric: tabular-nums; }
.effects { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr));
  gap: 0.8rem; }
.effects > div, .plot { min-width: 0; }
.choose { display: flex; flex-wrap: wrap; gap: 0.4rem 0.8rem; align-items: center;
  margin: 0.6rem 0; }
input { flex: 0 1 22rem; }
select, input, button { font: inherit; padding: 0.25rem 0.5rem; max-width: 100%; }
.wide { overflow-x: auto; }
.wide.tall { max-height: 36rem; overflow-y: auto; border: 1px solid #ccc; }
table { border-collapse: collapse; font-size: 0.9rem; }
th, td { padding: 0.25rem 0.6rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid #e6e6e6; font-variant-numeric: tabular-nums; }
th { position: sticky; top: 0; background: #f3f6f8; vertical-align: bottom; }
.word { text-align: left; }
.long { text-align: left; white-space: normal; min-width: 16rem; }
th button { border: 0; background: none; padding: 0; font-weight: 600; cursor: pointer;
  text-align: inherit; }
th[aria-sort=ascending] button::after { content: " \\25B2"; }
th[aria-sort=descending] button::after { content: " \\25BC"; }
tr.recommended td { background: #fbeee3; }
pre { background: #f6f6f6; border: 1px solid #ddd; padding: 0.8rem; overflow: auto;
  max-height: 28rem; font-size: 0.85rem; line-height: 1.4; }
details { margin: 0.6rem 0; }
summary { cursor: pointer; }
"""

SCRIPT = """
"use strict";
const { plots, points } = JSON.parse(document.getElementById("data").textContent);
for (const { data } of Object.values(plots)) {
  for (const trace of data) {
    if (trace.customdata) trace.hovertext = trace.customdata.map((number) => points[number]);
  }
}
const options = { displaylogo: false, responsive: true,
  modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };
const draw = (place, name) => Plotly.react(place, plots[name].data, plots[name].layout, options);

for (const place of document.querySelectorAll("[data-plot]")) {
  draw(place, place.dataset.plot);
}
for (const choice of document.querySelectorAll("select[data-for]")) {
  const place = document.getElementById(choice.dataset.for);
  choice.addEventListener("change", () => draw(place, choice.value));
  // Some browsers keep a choice over a reload.
  if (choice.value !== place.dataset.plot) draw(place, choice.value);
}

const table = document.getElementById("table");
const body = table.tBodies[0];
const keyOf = (row, column) => {
  const cell = row.cells[column];
  return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
};
for (const button of table.querySelectorAll("th button")) {
  const head = button.closest("th");
  button.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const column = head.cellIndex;
    const rows = Array.from(body.rows, (row) => [keyOf(row, column), row]);
    // What has no value comes last, whichever way the others go.
    const none = (key) => key === "" || Number.isNaN(key);
    rows.sort(([a], [b]) => {
      if (none(a) || none(b)) return none(a) - none(b);
      const order = typeof a === "number" && typeof b === "number" ? a - b
        : String(a).localeCompare(String(b), "en", { numeric: true });
      return up ? order : -order;
    });
    body.append(...rows.map(([, row]) => row));
  });
}
const filter = document.getElementById("filter");
const count = document.getElementById("count");
const sift = () => {
  const parts = filter.value.toLowerCase().split(",").map((part) => part.trim());
  let shown = 0;
  for (const row of body.rows) {
    const text = row.dataset.text;
    row.hidden = !parts.every((part) => text.includes(part));
    shown += !row.hidden;
  }
  count.textContent = `${shown} of ${body.rows.length} points`;
};
filter.addEventListener("input", sift);
sift();

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.addEventListener("click", () => {
    // Pages from disk may not be allowed the newer clipboard.
    const range = document.createRange();
    range.selectNodeContents(document.getElementById(button.dataset.copy));
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    button.textContent = document.execCommand("copy") ? "copied" : "selected: copy it";
  });
}
"""
