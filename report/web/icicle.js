// SPDX-License-Identifier: MIT
// A tree as an icicle: each branch below what it comes from, as wide as its share. Branches are buttons: click or Enter makes one as wide
// as the picture, arrow keys walk.

const LEVEL = 26;

class Icicle {
  // nodes: {label, parent, own: {ns, calls}, kind, words}, parents before children; [0] is the root.
  constructor(root, nodes) {
    this.root = root;
    this.nodes = nodes;
    this.picture = root.querySelector(".icicle");
    this.said = root.querySelector(".said");
    this.by = "ns";
    this.focus = 0;
    nodes.forEach((node) => (node.children = []));
    nodes.forEach((node, i) => i && nodes[node.parent].children.push(i));
    for (const name of ["ns", "calls"])
      for (const button of root.querySelectorAll(`[data-by=${name}]`))
        button.addEventListener("click", () => {
          this.by = name;
          for (const each of root.querySelectorAll("[data-by]"))
            each.setAttribute("aria-pressed", String(each === button));
          this.lay();
        });
    this.build();
    this.lay();
    new ResizeObserver(() => this.lay()).observe(this.picture);
  }

  build() {
    this.nodes.forEach((node, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = `branch k${node.kind}`;
      button.tabIndex = i ? -1 : 0;
      button.append(Object.assign(document.createElement("bdi"), { textContent: node.label }));
      button.addEventListener("click", () => this.zoom(i === this.focus && i ? node.parent : i));
      button.addEventListener("focus", () => this.say(i));
      button.addEventListener("mouseenter", () => this.say(i));
      button.addEventListener("keydown", (event) => this.key(event, i));
      node.element = button;
      this.picture.append(button);
    });
    this.picture.addEventListener("mouseleave", () => this.say(this.focus));
  }

  total(i) {
    // of a branch; what was left out of the page lies in its parent's own width
    return this.nodes[i].total[this.by];
  }

  lay() {
    const room = this.picture.clientWidth;
    let deepest = 0;
    const inside = new Set();
    const place = (i, x, width, depth) => {
      const { element } = this.nodes[i];
      inside.add(i);
      deepest = Math.max(deepest, depth);
      element.hidden = width < 1.5;
      element.style.left = `${x}px`;
      element.style.width = `${Math.max(1, width - 1)}px`;
      element.style.top = `${depth * LEVEL}px`;
      element.classList.toggle("narrow", width < 34);
      this.nodes[i].x = x;
      this.nodes[i].width = width;
      let at = x;
      const whole = this.total(i);
      const order = [...this.nodes[i].children].sort((a, b) => this.total(b) - this.total(a));
      for (const child of order) {
        const part = whole > 0 ? (width * this.total(child)) / whole : 0;
        if (part >= 0.7) place(child, at, part, depth + 1);
        at += part;
      }
    };
    const above = [];
    for (let i = this.focus; i; i = this.nodes[i].parent) above.unshift(this.nodes[i].parent);
    above.forEach((i, depth) => {
      const { element } = this.nodes[i];
      inside.add(i);
      element.hidden = false;
      element.style.left = "0px";
      element.style.width = `${room - 1}px`;
      element.style.top = `${depth * LEVEL}px`;
      element.classList.remove("narrow");
    });
    place(this.focus, 0, room, above.length);
    this.nodes.forEach((node, i) => {
      if (!inside.has(i)) node.element.hidden = true;
      node.element.classList.toggle("above", above.includes(i));
    });
    this.picture.style.height = `${(deepest + 1) * LEVEL}px`;
    this.say(this.focus);
  }

  zoom(i) {
    this.focus = i;
    this.lay();
    this.nodes[i].element.focus({ preventScroll: true });
  }

  say(i) {
    const node = this.nodes[i],
      whole = this.nodes[0].total;
    const path = [];
    for (let at = i; at; at = this.nodes[at].parent) path.unshift(this.nodes[at].label);
    this.said.textContent =
      `${path.join(this.root.dataset.join) || this.nodes[0].label}: ${countText(node.total.calls)} calls (${percentText(node.total.calls, whole.calls)}), ` +
      `${timeText(node.total.ns)} (${percentText(node.total.ns, whole.ns)})${node.words ? `; ${node.words}` : ""}`;
  }

  key(event, i) {
    const node = this.nodes[i],
      siblings = i ? this.nodes[node.parent].children.filter((k) => !this.nodes[k].element.hidden) : [0];
    siblings.sort((a, b) => this.total(b) - this.total(a));
    const at = siblings.indexOf(i);
    const children = node.children
      .filter((k) => !this.nodes[k].element.hidden)
      .sort((a, b) => this.total(b) - this.total(a));
    const to = {
      ArrowUp: i ? node.parent : -1,
      ArrowDown: children[0],
      ArrowLeft: siblings[at - 1],
      ArrowRight: siblings[at + 1],
    }[event.key];
    if (event.key === "Escape") this.zoom(0);
    else if (to === undefined || to < 0) return;
    else {
      node.element.tabIndex = -1;
      this.nodes[to].element.tabIndex = 0;
      this.nodes[to].element.focus({ preventScroll: true });
    }
    event.preventDefault();
  }

  find(matches) {
    for (const node of this.nodes)
      node.element.classList.toggle("found", Boolean(matches && matches(node.label)));
  }
}

function flowNodes(facts) {
  const nodes = facts.flow.map(([name, parent, times, calls, ns]) => ({
    label: name < 0 ? "\u2026" : facts.calls[name][0],
    kind: name < 0 ? 8 : facts.calls[name][1],
    parent,
    times,
    calls,
    ns,
  }));
  nodes[0].label = "all threads";
  nodes[0].kind = 10;
  for (const node of nodes) node.total = { ns: node.ns, calls: node.calls };
  for (let i = nodes.length - 1; i > 0; --i) {
    nodes[nodes[i].parent].total.ns += nodes[i].total.ns;
    nodes[nodes[i].parent].total.calls += nodes[i].total.calls;
  }
  nodes.forEach((node, i) => {
    if (!i) return;
    node.words = `reached ${countText(node.times)} times; itself ${timeText(node.ns)} in ${countText(node.calls)} calls`;
    if (node.calls > 1.05 * node.times)
      node.label += ` \u00d7 ${(node.calls / Math.max(1, node.times)).toFixed(node.calls / node.times < 10 ? 1 : 0)}`;
  });
  return nodes;
}

function folderNodes(facts) {
  return facts.folders.map(([name, parent, files, calls, ns, bytes, errors], i) => ({
    label: i ? name : "all paths",
    parent,
    kind: 10,
    total: { ns, calls },
    words: `${countText(files)} ${files === 1 ? "path" : "paths"}${bytes ? `, ${bytesText(bytes)}` : ""}${errors ? `, ${countText(errors)} errors` : ""}`,
  }));
}
