// SPDX-License-Identifier: MIT
// What the page's scripts compute, compared with the plain way to compute it.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const test = require("node:test");

const WEB = path.join(__dirname, "../../report/web");
const NAMES =
  "timeText momentText niceStep countText percentText readColumn decodeSpans buildLevels sumSpans sumBetween firstAfter firstFrom " +
  "paintLane paintFound Pixels PATTERNS SUMS KINDS SUM_CALLS SUM_ANSWERED ANSWERED FAILED flowNodes folderNodes";
const source = ["format", "unpack", "levels", "colors", "paint", "icicle"]
  .map((name) => fs.readFileSync(path.join(WEB, `${name}.js`), "utf8"))
  .join("");
globalThis.ImageData ||= class {
  constructor(width, height) {
    this.data = new Uint8ClampedArray(4 * width * height);
  }
};
const web = new Function(`"use strict";${source}; return { ${NAMES.split(" ").join(", ")} };`)();

let seed = 1;
const dice = (n) => (seed = (seed * 48271) % 2147483647) % n;

function randomSpans(count, lanes) {
  const n = count * lanes,
    spans = {
      count: n,
      start: new Float64Array(n),
      end: new Float64Array(n),
      name: new Uint16Array(n),
      flags: new Uint8Array(n),
      error: new Uint16Array(n),
      place: new Uint32Array(n),
      busy: null,
      calls: null,
      places: [""],
      lanes: [],
    };
  for (let lane = 0; lane < lanes; ++lane) {
    let now = dice(50);
    for (let i = lane * count; i < (lane + 1) * count; ++i) {
      spans.start[i] = now += dice(20);
      spans.end[i] = now += dice(10) ? dice(30) : dice(5000);
      spans.name[i] = dice(5);
      spans.flags[i] = [0, 0, 1, 2, 4, 8][dice(6)];
    }
    spans.lanes.push({ tid: lane, pid: 1, program: "p", from: lane * count, to: (lane + 1) * count });
  }
  return spans;
}
const kindOf = Uint8Array.from([0, 1, 2, 5, 8]);

test("numbers of any length are read", () => {
  const raw = Uint8Array.from([0, 127, 128, 1, 255, 255, 255, 255, 255, 255, 255, 15]);
  assert.deepEqual(
    [...web.readColumn(raw, [0, raw.length], new Float64Array(4))],
    [0, 127, 128, 2 ** 53 - 1],
  );
});

test("sums over stretches are those of the spans in them", () => {
  const spans = randomSpans(5000, 2);
  web.buildLevels(spans, kindOf);
  for (let round = 0; round < 300; ++round) {
    const lane = spans.lanes[dice(2)],
      all = spans.end[lane.to - 1];
    const from = dice(Math.floor(all)),
      to = from + 1 + dice(round % 2 ? 300 : Math.floor(all)),
      got = new Float64Array(web.SUMS);
    web.sumBetween(spans, kindOf, lane, from, to, got);
    const want = new Float64Array(web.SUMS);
    for (let i = lane.from; i < lane.to; ++i) {
      const inside = Math.min(spans.end[i], to) - Math.max(spans.start[i], from),
        length = spans.end[i] - spans.start[i];
      if (spans.end[i] <= from || spans.start[i] >= to) continue;
      want[kindOf[spans.name[i]]] += inside;
      if (spans.flags[i] & web.ANSWERED) want[web.SUM_ANSWERED] += inside;
      if (!(spans.flags[i] & 8)) want[web.SUM_CALLS] += 1;
      assert.ok(length >= 0);
    }
    for (let k = 0; k < web.KINDS; ++k)
      assert.ok(Math.abs(got[k] - want[k]) <= 1e-3 * (1 + want[k]), `${k}: ${got[k]} ${want[k]}`);
    assert.ok(
      Math.abs(got[web.SUM_ANSWERED] - want[web.SUM_ANSWERED]) <= 1e-3 * (1 + want[web.SUM_ANSWERED]),
    );
    assert.ok(Math.abs(got[web.SUM_CALLS] - want[web.SUM_CALLS]) <= 2); // of zero length, at the edges
  }
});

test("columns one after the other add up to the whole", () => {
  const spans = randomSpans(3000, 1),
    lane = spans.lanes[0],
    all = spans.end[lane.to - 1] + 1,
    sums = new Float64Array(web.SUMS);
  web.buildLevels(spans, kindOf);
  let low = lane.from,
    total = 0,
    busy = 0;
  for (let x = 0; x < 1000; ++x) {
    low = web.sumBetween(spans, kindOf, lane, (x * all) / 1000, ((x + 1) * all) / 1000, sums, low);
    for (let k = 0; k < web.KINDS; ++k) total += sums[k];
  }
  for (let i = 0; i < spans.count; ++i) busy += spans.end[i] - spans.start[i];
  assert.ok(Math.abs(total - busy) < 1e-3 * busy, `${total} ${busy}`);
});

test("a lane is painted where its calls are, close and from afar", () => {
  const spans = randomSpans(20000, 1),
    lane = spans.lanes[0],
    all = spans.end[lane.to - 1];
  web.buildLevels(spans, kindOf);
  const colors = {
    paper: 1,
    kinds: Array(9).fill(2),
    dark: Array(9).fill(3),
    edge: Array(9).fill(2),
    strip: 4,
    runs: 5,
    answered: 6,
    found: 7,
    failed: 8,
  };
  const options = { hidden: Array(9).fill(false), patterns: false, worth: true };
  for (const view of [
    { from: 0, to: all },
    { from: all / 2, to: all / 2 + 3000 },
    { from: spans.start[7] - 5, to: spans.end[7] + 5 },
  ]) {
    const pixels = new web.Pixels(400, 40);
    const words = web.paintLane(
      pixels,
      spans,
      kindOf,
      lane,
      { y: 4, body: 20, strip: 4 },
      view,
      colors,
      options,
    );
    const seen = new Set(pixels.at);
    assert.ok(seen.has(2), "calls");
    assert.ok(!pixels.at.subarray(0, 4 * 400).some((value) => value), "nothing above its place");
    assert.ok(words.every((word) => word.width > 24));
    const found = Uint32Array.from({ length: 2000 }, (_, i) => i * 10 + 3);
    web.paintFound(pixels, spans, lane, found, { y: 4, body: 20, strip: 4 }, view, colors);
    const marked = new Set();
    for (let x = 0; x < 400; ++x) if (pixels.at[4 * 400 + x] === 7) marked.add(x);
    for (const i of found) {
      // each found call in view has its mark
      const x = Math.floor((spans.start[i] - view.from) * (400 / (view.to - view.from)));
      if (spans.start[i] < view.to && x >= 0 && x < 400) assert.ok(marked.has(x), `call ${i} at ${x}`);
    }
  }
});

test("each pattern but the plain one is partly dark", () => {
  web.PATTERNS.slice(1).forEach((pattern) => {
    let dark = 0;
    for (let y = 0; y < 24; ++y) for (let x = 0; x < 24; ++x) dark += pattern(x, y);
    assert.ok(dark > 20 && dark < 400, String(pattern));
  });
});

test("branches have the sum of what is below", () => {
  const facts = {
    calls: [
      ["signal", 6],
      ["openat", 0],
      ["read", 2],
    ],
    flow: [
      [0, 0, 0, 0, 0],
      [1, 0, 5, 5, 100],
      [2, 1, 5, 10, 50],
      [-1, 2, 1, 1, 7],
    ],
  };
  const nodes = web.flowNodes(facts);
  assert.deepEqual(
    nodes.map((node) => node.total),
    [
      { ns: 157, calls: 16 },
      { ns: 157, calls: 16 },
      { ns: 57, calls: 11 },
      { ns: 7, calls: 1 },
    ],
  );
  assert.match(nodes[2].label, /read \u00d7 2/);
});

test("numbers read well", () => {
  assert.equal(web.timeText(0), "0 ns");
  assert.equal(web.timeText(1234), "1.23 us");
  assert.equal(web.timeText(123456), "123 us");
  assert.equal(web.timeText(-2.5e9), "-2.50 s");
  assert.equal(web.momentText(1.5e6, 5e5), "1.5 ms");
  assert.equal(web.momentText(2e9, 1e9), "2 s");
  assert.equal(web.niceStep(3), 5);
  assert.equal(web.niceStep(1000), 1000);
});
