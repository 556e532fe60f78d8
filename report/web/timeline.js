// SPDX-License-Identifier: MIT
// The timeline: an overview of all threads above, a row for each thread below. Zoom: buttons, + and -, ctrl with the wheel, or a stretch
// drawn in the overview. Move: drag, arrow keys. What is chosen is said in words below, so it can be read aloud.

class Timeline extends TimelinePicture {
  constructor(root, facts, spans) {
    super();
    this.root = root;
    this.facts = facts;
    this.spans = spans;
    this.kindOf = Uint8Array.from(facts.calls, ([, kind]) => kind);
    buildLevels(spans, this.kindOf);
    this.all = { from: 0, to: Math.max(1000, facts.wall_ns) * 1.0005 };
    this.view = { ...this.all };
    this.options = {
      hidden: KIND_NAMES.map(() => false),
      patterns: matchMedia("(prefers-contrast: more)").matches,
      worth: facts.worth !== null,
    };
    this.found = null;
    this.chosen = { lane: 0, span: -1 };
    const part = (name) => root.querySelector(`.${name}`);
    [this.overview, this.rows, this.canvas, this.spacer, this.said, this.tip] = [
      "overview",
      "rows",
      "lanes",
      "spacer",
      "said",
      "tip",
    ].map(part);
    // Few threads have more room.
    this.body = spans.lanes.length < 3 ? 64 : spans.lanes.length < 8 ? 36 : 24;
    this.row = this.body + STRIP + 10;
    this.spacer.style.height = `${spans.lanes.length * this.row + AXIS}px`;
    this.rows.style.height = `${Math.min(spans.lanes.length, 12) * this.row + AXIS + 2}px`;
    this.legend();
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.rows);
    this.fromHash();
    this.say();
    this.draw();
  }

  look(from, to) {
    const least = 200,
      width = Math.min(Math.max(to - from, least), this.all.to - this.all.from);
    const start = Math.min(Math.max(from, this.all.from), this.all.to - width);
    this.view = { from: start, to: start + width };
    clearTimeout(this.hashing);
    this.hashing = setTimeout(() => {
      const whole = this.view.from === this.all.from && this.view.to === this.all.to;
      try {
        history.replaceState(
          null,
          "",
          whole ? "#timeline" : `#t=${Math.round(this.view.from)}-${Math.round(this.view.to)}`,
        );
      } catch {
        /* a page without an address */
      }
    }, 300);
    this.draw();
  }
  zoom(factor, at = (this.view.from + this.view.to) / 2) {
    this.look(at - (at - this.view.from) * factor, at + (this.view.to - at) * factor);
    this.say();
  }
  move(share) {
    const by = (this.view.to - this.view.from) * share;
    this.look(this.view.from + by, this.view.to + by);
  }
  fromHash() {
    const found = /^#t=(\d+)-(\d+)$/.exec(location.hash);
    if (found && +found[1] < +found[2]) this.look(+found[1], +found[2]);
  }

  momentAt(event) {
    const box = this.canvas.getBoundingClientRect(),
      gutter = this.gutter();
    return (
      this.view.from +
      ((event.clientX - box.left - gutter) / (box.width - gutter)) * (this.view.to - this.view.from)
    );
  }
  laneAt(event) {
    const y = event.clientY - this.canvas.getBoundingClientRect().top - AXIS + this.rows.scrollTop;
    const lane = Math.floor(y / this.row);
    return lane >= 0 && lane < this.spans.lanes.length ? lane : -1;
  }
  // The span at a place: the nearest within some pixels.
  spanAt(event) {
    const k = this.laneAt(event);
    if (k < 0) return [-1, -1];
    const lane = this.spans.lanes[k],
      moment = this.momentAt(event);
    const near = (3 * (this.view.to - this.view.from)) / Math.max(1, this.canvas.clientWidth - this.gutter());
    let i = firstAfter(this.spans, lane, moment);
    if (
      i > lane.from &&
      (i === lane.to || this.spans.start[i] > moment + near) &&
      this.spans.end[i - 1] >= moment - near
    )
      --i;
    return i < lane.to && this.spans.start[i] <= moment + near ? [k, i] : [k, -1];
  }

  choose(lane, span) {
    this.chosen = { lane, span };
    const top = lane * this.row;
    if (top < this.rows.scrollTop) this.rows.scrollTop = top;
    if (top + this.row + AXIS > this.rows.scrollTop + this.rows.clientHeight)
      this.rows.scrollTop = top + this.row + AXIS - this.rows.clientHeight;
    if (span >= 0) {
      const { start, end } = this.spans,
        width = this.view.to - this.view.from;
      if (end[span] < this.view.from || start[span] > this.view.to)
        this.look(start[span] - width / 2, start[span] + width / 2);
    }
    this.say();
    this.draw();
  }
  step(by) {
    const lane = this.spans.lanes[this.chosen.lane];
    if (!lane) return;
    const now =
      this.chosen.span >= lane.from && this.chosen.span < lane.to
        ? this.chosen.span + by
        : firstAfter(this.spans, lane, this.view.from);
    if (now >= lane.from && now < lane.to) this.choose(this.chosen.lane, now);
  }
  nextFound(by) {
    if (!this.found?.length) return;
    let at = 0;
    if (this.chosen.span >= 0) {
      const next =
        by > 0
          ? this.found.findIndex((i) => i > this.chosen.span)
          : this.found.findLastIndex((i) => i < this.chosen.span);
      at = next < 0 ? (by > 0 ? 0 : this.found.length - 1) : next;
    }
    const span = this.found[at],
      lane = this.spans.lanes.findIndex((one) => span < one.to);
    this.choose(lane, span);
  }

  words(i) {
    const { spans, facts } = this,
      flags = spans.flags[i],
      many = callsOf(spans, i);
    const parts = [facts.calls[spans.name[i]][0] + (many > 1 ? ` and others, ${countText(many)} calls` : "")];
    if (spans.place[i]) parts.push(spans.places[spans.place[i]]);
    if (flags & SIGNAL) return `${parts[0]} at ${timeText(spans.start[i])}`;
    parts.push(`${timeText(busyOf(spans, i))}, at ${timeText(spans.start[i])}`);
    if (flags & FAILED) parts.push(spans.error[i] ? `failed (errno ${spans.error[i]})` : "some failed");
    if (flags & ANSWERED)
      parts.push(many > 1 ? "some answered by a procedure" : "a procedure would answer it: no entry");
    if (flags & RUNS) parts.push("a procedure would begin here");
    return parts.join(" \u00b7 ");
  }
  say() {
    const { spans, chosen } = this,
      lane = spans.lanes[chosen.lane];
    if (!lane) return;
    if (chosen.span >= 0) {
      this.said.textContent = `${lane.program || "?"} ${lane.tid}: ${this.words(chosen.span)}`;
      return;
    }
    const sums = new Float64Array(SUMS),
      one = new Float64Array(SUMS);
    for (const each of spans.lanes) {
      sumBetween(spans, this.kindOf, each, this.view.from, this.view.to, one);
      for (let s = 0; s < SUMS; ++s) sums[s] += one[s];
    }
    const kinds = this.facts.categories
      .map((name, kind) => [name, sums[kind]])
      .filter(([, ns]) => ns > 0)
      .sort((a, b) => b[1] - a[1])
      .slice(0, 4);
    const inside = sums.subarray(0, KINDS).reduce((a, b) => a + b, 0);
    this.said.textContent =
      `${timeText(this.view.to - this.view.from)} shown: ${countText(sums[SUM_CALLS])} calls, ${timeText(inside)} in them` +
      (kinds.length
        ? ` (${kinds.map(([name, ns]) => `${name} ${percentText(ns, inside)}`).join(", ")})`
        : "") +
      (this.options.worth ? `; procedures would answer ${timeText(sums[SUM_ANSWERED])} of it` : "");
  }

  // names: a set of call numbers; places: of place numbers; null: nothing is searched.
  find(names, places) {
    const { spans } = this;
    if (!names) {
      this.found = null;
    } else {
      const list = [];
      for (let i = 0; i < spans.count; ++i) if (names[spans.name[i]] || places[spans.place[i]]) list.push(i);
      this.found = Uint32Array.from(list);
    }
    this.draw();
    return this.found ? this.found.length : 0;
  }

  legend() {
    const list = this.root.querySelector(".legend"),
      used = new Set(this.spans.name);
    this.facts.categories.forEach((name, kind) => {
      if (![...used].some((call) => this.kindOf[call] === kind)) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = `chip k${kind}`;
      button.setAttribute("aria-pressed", "true");
      button.append(Object.assign(document.createElement("i"), { className: "swatch" }), name);
      button.addEventListener("click", () => {
        this.options.hidden[kind] = !this.options.hidden[kind];
        button.setAttribute("aria-pressed", String(!this.options.hidden[kind]));
        this.draw();
      });
      list.append(button);
    });
  }

  patterns(on = !this.options.patterns) {
    this.options.patterns = on;
    document.documentElement.classList.toggle("patterns", on);
    this.root.querySelector("[data-do=patterns]").setAttribute("aria-pressed", String(on));
    this.draw();
  }

  listen() {
    const act = {
      in: () => this.zoom(0.5),
      out: () => this.zoom(2),
      left: () => this.move(-0.25),
      right: () => this.move(0.25),
      all: () => {
        this.chosen.span = -1;
        this.look(this.all.from, this.all.to);
        this.say();
      },
      patterns: () => this.patterns(),
    };
    for (const button of this.root.querySelectorAll("[data-do]"))
      button.addEventListener("click", () => act[button.dataset.do]());
    const keys = {
      ArrowLeft: act.left,
      ArrowRight: act.right,
      a: act.left,
      d: act.right,
      "+": act.in,
      "=": act.in,
      w: act.in,
      "-": act.out,
      s: act.out,
      0: act.all,
      Home: () => this.look(this.all.from, this.all.from + this.view.to - this.view.from),
      End: () => this.look(this.all.to - this.view.to + this.view.from, this.all.to),
      ArrowUp: () => this.choose(Math.max(0, this.chosen.lane - 1), -1),
      ArrowDown: () => this.choose(Math.min(this.spans.lanes.length - 1, this.chosen.lane + 1), -1),
      ",": () => this.step(-1),
      ".": () => this.step(1),
      n: () => this.nextFound(1),
      N: () => this.nextFound(-1),
      p: act.patterns,
      Enter: () => this.zoomToChosen(),
      Escape: () => {
        this.chosen.span = -1;
        this.say();
        this.draw();
      },
    };
    this.rows.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
    this.rows.addEventListener("scroll", () => this.draw(), { passive: true });
    this.rows.addEventListener(
      "wheel",
      (event) => {
        const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
        if (!event.ctrlKey && !sideways) return;
        event.preventDefault();
        if (event.ctrlKey)
          this.zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 200))), this.momentAt(event));
        else this.move((event.deltaX || event.deltaY) / 1000);
      },
      { passive: false },
    );
    this.listenToDragging();
    this.listenToBrush();
  }
  zoomToChosen() {
    const i = this.chosen.span;
    if (i < 0) return;
    const length = Math.max(200, this.spans.end[i] - this.spans.start[i]);
    this.look(this.spans.start[i] - length, this.spans.end[i] + length);
  }

  listenToDragging() {
    let from = null,
      moved = false;
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      from = { x: event.clientX, view: { ...this.view } };
      moved = false;
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!from) return this.hover(event);
      const by =
        ((from.x - event.clientX) * (from.view.to - from.view.from)) /
        Math.max(1, this.canvas.clientWidth - this.gutter());
      moved ||= Math.abs(from.x - event.clientX) > 3;
      if (moved) this.look(from.view.from + by, from.view.to + by);
    });
    const end = (event) => {
      if (from && !moved) {
        const [lane, span] = this.spanAt(event);
        if (lane >= 0) this.choose(lane, span);
        this.rows.focus({ preventScroll: true });
      } else if (from) {
        this.say();
      }
      from = null;
    };
    this.canvas.addEventListener("pointerup", end);
    this.canvas.addEventListener("pointercancel", () => (from = null));
    this.canvas.addEventListener("pointerleave", () => (this.tip.hidden = true));
    this.canvas.addEventListener("dblclick", () => this.zoomToChosen());
  }
  hover(event) {
    const [, span] = this.spanAt(event);
    this.tip.hidden = span < 0;
    if (span < 0) return;
    this.tip.textContent = this.words(span);
    const box = this.root.getBoundingClientRect();
    this.tip.style.left = `${Math.max(0, Math.min(event.clientX - box.left + 12, box.width - this.tip.offsetWidth - 8))}px`;
    this.tip.style.top = `${event.clientY - box.top + 18}px`;
  }
  listenToBrush() {
    const moment = (event) => {
      const box = this.overview.getBoundingClientRect();
      return (
        this.all.from +
        Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * (this.all.to - this.all.from)
      );
    };
    this.overview.addEventListener("pointerdown", (event) => {
      this.brush = [moment(event), moment(event)];
      this.overview.setPointerCapture(event.pointerId);
    });
    this.overview.addEventListener("pointermove", (event) => {
      if (!this.brush) return;
      this.brush[1] = moment(event);
      this.draw();
    });
    this.overview.addEventListener("pointerup", () => {
      if (!this.brush) return;
      const [from, to] = this.brush.sort((a, b) => a - b),
        width = this.view.to - this.view.from;
      this.brush = null;
      this.chosen.span = -1;
      if (to - from < (this.all.to - this.all.from) / 200)
        this.look(from - width / 2, from + width / 2); // a click
      else this.look(from, to);
      this.say();
    });
  }
}
