// SPDX-License-Identifier: MIT
// What procedures are worth at another price: of an entry into the kernel, and of a file that is not in memory. Sums are lines in the price
// of an entry (report/worth.h), so what a slider shows is what `sysvm compile --crossing` would say.

const IN_FLIGHT = 8;

class Calculator {
  constructor(root, facts) {
    this.root = root;
    this.facts = facts;
    this.worth = facts.worth;
    this.crossing = root.querySelector("#crossing");
    this.cold = root.querySelector("#cold");
    this.bars = root.querySelector(".bars");
    this.rows = [...document.querySelectorAll("#procedures-table tbody tr")];
    this.crossing.value = String(Math.round(100 * Math.log10(this.worth.crossing_ns)));
    for (const slider of [this.crossing, this.cold]) slider.addEventListener("input", () => this.show());
    root.querySelector("[data-do=here]").addEventListener("click", () => {
      this.crossing.value = String(Math.round(100 * Math.log10(this.worth.crossing_ns)));
      this.cold.value = "0";
      this.show();
    });
    this.show();
  }

  price() {
    const here = this.worth.crossing_ns,
      set = 10 ** (Number(this.crossing.value) / 100);
    return Math.abs(set / here - 1) < 0.013 ? here : set; // as near as the slider gets
  }
  storage() {
    const at = Number(this.cold.value);
    return at ? 10 ** (3 + at / 100) : 0;
  }

  estimate(crossing_ns, cold_ns) {
    const { worth, facts } = this,
      line = ([zero, slope]) => zero + slope * crossing_ns;
    const plain = worth.wall_ns + (crossing_ns - worth.crossing_ns) * worth.calls,
      waits = facts.touched * cold_ns;
    return [
      { name: "plain", ns: plain, waits },
      { name: "procedures, with the module", ns: plain - line(worth.kernel) + worth.start_ns, waits },
      { name: "procedures, user engine", ns: plain - line(worth.user) + worth.start_ns, waits },
      {
        name: `prefetch, at best (${IN_FLIGHT} in flight)`,
        ns: plain,
        waits: Math.max(waits / IN_FLIGHT, waits - plain * (IN_FLIGHT - 1)),
      },
    ];
  }

  show() {
    const crossing = this.price(),
      cold = this.storage(),
      ways = this.estimate(crossing, cold),
      most = Math.max(...ways.map((way) => way.ns + way.waits), 1);
    this.crossing.setAttribute("aria-valuetext", timeText(crossing));
    this.cold.setAttribute("aria-valuetext", cold ? timeText(cold) : "in memory");
    this.root.querySelector("#crossing-out").textContent =
      `${Math.round(crossing)} ns` +
      (crossing !== this.worth.crossing_ns ? "" : this.worth.measured ? " (measured here)" : " (built in)");
    this.root.querySelector("#cold-out").textContent = cold
      ? `${timeText(cold)} for each of ${countText(this.facts.touched)} paths`
      : "nothing: all is in memory";
    const plain = ways[0].ns + ways[0].waits;
    this.bars.replaceChildren(
      ...ways.map((way, i) => {
        const row = document.createElement("div"),
          total = way.ns + way.waits,
          less = plain - total;
        const bar = document.createElement("span"),
          inside = document.createElement("i"),
          waiting = document.createElement("i");
        bar.className = "track";
        inside.className = "runs";
        waiting.className = "waits";
        inside.style.width = `${Math.max(0, (100 * way.ns) / most)}%`;
        waiting.style.width = `${(100 * way.waits) / most}%`;
        bar.append(inside, waiting);
        const words = document.createElement("span"),
          delta = document.createElement("small");
        words.className = "words";
        words.textContent = timeText(total);
        if (i) {
          const share = `${timeText(Math.abs(less))} ${less < 0 ? "more" : "less"} (${percentText(Math.abs(less), plain)})`;
          delta.textContent = Math.abs(less) < 1 ? " the same" : ` ${share}`;
        }
        words.append(delta);
        row.append(Object.assign(document.createElement("b"), { textContent: way.name }), bar, words);
        return row;
      }),
    );
    for (const row of this.rows) {
      const saved = Number(row.dataset.zero) + Number(row.dataset.slope) * crossing,
        cell = row.querySelector(".saves");
      cell.dataset.v = String(saved);
      cell.textContent = timeText(saved);
    }
  }
}
