// SPDX-License-Identifier: MIT
// Puts the parts together. Without any of this the page has its tables.

const page = document.documentElement;
page.classList.add("js");

function theme(choice) {
  if (choice) page.dataset.theme = choice;
  const dark = page.dataset.theme
    ? page.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  document.querySelector("#theme").textContent = dark ? "light" : "dark";
  return dark;
}

async function start() {
  const facts = JSON.parse(document.querySelector("#facts").textContent),
    parts = {};
  window.sysvmReport = parts; // for whoever looks at it, and for tests
  parts.facts = facts;
  for (const table of document.querySelectorAll("main table")) {
    makeSortable(table);
    makeFoldable(table);
  }
  if (facts.flow.length > 1) parts.flow = new Icicle(document.querySelector("#flow"), flowNodes(facts));
  if (facts.folders.length > 1)
    parts.folders = new Icicle(document.querySelector("#tree"), folderNodes(facts));
  for (const [name, picture] of [
    ["flow", parts.flow],
    ["tree", parts.folders],
  ])
    document.querySelector(`#${name}`).hidden = !picture;
  if (facts.worth) parts.worth = new Calculator(document.querySelector("#calculator"), facts);
  else document.querySelector("#calculator").hidden = true;
  await startTimeline(facts, parts);
  listenToSearch(parts);
  document.querySelector("#theme").addEventListener("click", () => {
    theme(theme() ? "light" : "dark");
    parts.timeline?.recolor();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    theme();
    parts.timeline?.recolor();
  });
  theme();
  parts.ready = true;
}

async function startTimeline(facts, parts) {
  const root = document.querySelector("#pictured");
  if (!facts.spans.count) {
    root.replaceChildren(
      Object.assign(document.createElement("p"), { textContent: "Nothing was recorded." }),
    );
    return;
  }
  if (!window.DecompressionStream) {
    root.replaceChildren(
      Object.assign(document.createElement("p"), {
        textContent: "This browser cannot unpack the timeline (it has no DecompressionStream).",
      }),
    );
    return;
  }
  const raw = await inflate(bytesOfBase64(document.querySelector("#packed").textContent));
  parts.timeline = new Timeline(root, facts, decodeSpans(raw, facts.spans));
  const notes = [];
  if (facts.spans.grain_ns)
    notes.push(`Calls of a thread within ${timeText(facts.spans.grain_ns)} are drawn as one.`);
  if (facts.spans.unnamed)
    notes.push(`The paths of ${countText(facts.spans.unnamed)} calls did not fit and are left out here.`);
  if (facts.spans.left_out)
    notes.push(`${countText(facts.spans.left_out)} events of further threads are left out here.`);
  root.querySelector(".left-out").textContent = notes.join(" ");
}

function listenToSearch(parts) {
  const box = document.querySelector("#search"),
    out = document.querySelector("#search-out");
  const search = () => {
    const wanted = box.value.trim().toLowerCase(),
      has = (text) => text.toLowerCase().includes(wanted),
      { timeline } = parts;
    const rows = searchTables(wanted);
    parts.flow?.find(wanted && has);
    parts.folders?.find(wanted && has);
    let calls = 0;
    if (timeline)
      calls = wanted
        ? timeline.find(
            parts.facts.calls.map(([name]) => has(name)),
            timeline.spans.places.map(has),
          )
        : timeline.find(null, null);
    out.textContent = wanted ? `${countText(calls)} calls, ${countText(rows)} rows` : "";
  };
  let waiting = 0;
  box.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 120);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      search();
      parts.timeline?.nextFound(event.shiftKey ? -1 : 1);
    }
    if (event.key === "Escape") {
      box.value = "";
      search();
      box.blur();
    }
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      event.preventDefault();
      box.focus();
    }
    if (event.key === "?") document.querySelector("#keys").showModal();
  });
  document
    .querySelector("#help")
    .addEventListener("click", () => document.querySelector("#keys").showModal());
}

start();
