// SPDX-License-Identifier: MIT
// Tables that are sorted by a click on a head, and the search: rows, branches, threads and calls that have the text.

const valueOf = (cell) =>
  cell?.dataset.v !== undefined ? Number(cell.dataset.v) : (cell?.textContent ?? "");

function makeSortable(table) {
  const heads = [...table.querySelectorAll("thead th")];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const each of heads) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0],
        sign = down ? -1 : 1;
      const rows = [...body.rows].map((row) => [valueOf(row.cells[column]), row]);
      rows.sort(
        ([a], [b]) =>
          sign *
          (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b))),
      );
      body.append(...rows.map(([, row]) => row));
    });
  });
}

// Long tables show their first rows; a button shows all.
function makeFoldable(table, most = 15) {
  if (table.tBodies[0].rows.length <= most + 5) return;
  const button = document.createElement("button"),
    scroll = table.parentElement;
  button.type = "button";
  button.className = "more";
  const say = () => {
    const folded = table.classList.contains("folded");
    button.textContent = folded
      ? `show all ${countText(table.tBodies[0].rows.length)} rows`
      : `show ${most} rows`;
    button.setAttribute("aria-expanded", String(!folded));
  };
  table.classList.add("folded");
  button.addEventListener("click", () => {
    table.classList.toggle("folded");
    say();
  });
  scroll.after(button);
  say();
}

function searchTables(wanted) {
  let found = 0;
  document.documentElement.classList.toggle("searching", wanted !== "");
  for (const table of document.querySelectorAll("main table"))
    for (const row of table.tBodies[0].rows) {
      const has = wanted === "" || row.textContent.toLowerCase().includes(wanted);
      row.classList.toggle("miss", !has);
      found += has && wanted !== "";
    }
  return found;
}
