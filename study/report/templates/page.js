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
  // Some browsers restore the choice when a page is reloaded.
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
    // Cells without a value come last in either order.
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
const applyFilter = () => {
  const parts = filter.value.toLowerCase().split(",").map((part) => part.trim());
  let shown = 0;
  for (const row of body.rows) {
    const text = row.dataset.text;
    row.hidden = !parts.every((part) => text.includes(part));
    shown += !row.hidden;
  }
  count.textContent = `${shown} of ${body.rows.length} points`;
};
filter.addEventListener("input", applyFilter);
applyFilter();

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.addEventListener("click", () => {
    // The Clipboard API may be unavailable to pages from disk.
    const range = document.createRange();
    range.selectNodeContents(document.getElementById(button.dataset.copy));
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    button.textContent = document.execCommand("copy") ? "copied" : "selected: copy it";
  });
}
