// SPDX-License-Identifier: MIT
// A stretch of a thread into pixels: each call a block where there is room, else for each column the kinds of calls by
// their share of its time. Pixels and not rectangles, so that a frame takes the same time for a hundred calls and a million.

class Pixels {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.image = new ImageData(Math.max(1, width), Math.max(1, height));
    this.at = new Uint32Array(this.image.data.buffer);
  }
  fill(x, y, width, height, color) {
    const left = Math.max(0, x),
      right = Math.min(this.width, x + width);
    for (let row = Math.max(0, y); row < Math.min(this.height, y + height); ++row)
      this.at.fill(color, row * this.width + left, row * this.width + Math.max(left, right));
  }
  // With a kind's pattern, if patterns are on or it is a wait.
  kind(x, y, width, height, kind, colors, patterns) {
    if (!patterns && kind !== 5) return this.fill(x, y, width, height, colors.kinds[kind]);
    const dark = PATTERNS[kind],
      light = colors.kinds[kind],
      heavy = colors.dark[kind];
    const left = Math.max(0, x),
      right = Math.min(this.width, x + width);
    for (let row = Math.max(0, y); row < Math.min(this.height, y + height); ++row)
      for (let column = left; column < right; ++column)
        this.at[row * this.width + column] = dark(column, row) ? heavy : light;
  }
}

// box: {y, body, strip} of the lane in pixels; view: {from, to}. Returns blocks with room for a word: {x, width, span}.
function paintLane(pixels, spans, kindOf, lane, box, view, colors, options) {
  const scale = pixels.width / (view.to - view.from);
  pixels.fill(0, box.y, pixels.width, box.body, colors.paper);
  if (options.worth) pixels.fill(0, box.y + box.body + 1, pixels.width, box.strip, colors.strip);
  const first = firstAfter(spans, lane, view.from),
    last = firstFrom(spans, lane, view.to, first);
  const words = [];
  if (last - first <= 2 * pixels.width) {
    for (let i = first; i < last; ++i)
      paintSpan(pixels, spans, kindOf, i, box, view, scale, colors, options, words);
  } else {
    paintColumns(pixels, spans, kindOf, lane, box, view, scale, colors, options);
  }
  return words;
}

function paintSpan(pixels, spans, kindOf, i, box, view, scale, colors, options, words) {
  const kind = kindOf[spans.name[i]],
    flags = spans.flags[i];
  const x = Math.floor((spans.start[i] - view.from) * scale),
    end = Math.ceil((spans.end[i] - view.from) * scale);
  const width = Math.max(1, end - x),
    hidden = options.hidden[kind];
  if (!hidden) {
    if (flags & SIGNAL) {
      pixels.fill(x, box.y, Math.max(2, width), box.body, colors.runs);
    } else {
      const rest = 1 - Math.min(1, busyOf(spans, i) / Math.max(1, spans.end[i] - spans.start[i]));
      const top = Math.round(box.body * rest); // of joined calls: the part outside
      pixels.kind(x, box.y + top, width, box.body - top, kind, colors, options.patterns);
      if (width > 3) pixels.fill(x, box.y + top, 1, box.body - top, colors.edge[kind]);
    }
    if (flags & FAILED) pixels.fill(x, box.y, Math.max(2, Math.min(width, 4)), 4, colors.failed);
  }
  if (options.worth && flags & ANSWERED)
    pixels.fill(x, box.y + box.body + 1, width, box.strip, colors.answered);
  if (options.worth && flags & RUNS)
    pixels.fill(x, box.y + box.body + 1, Math.min(3, width), box.strip, colors.runs);
  if (width > 24 && end > 0 && x < pixels.width) words.push({ x, width, span: i });
}

function paintColumns(pixels, spans, kindOf, lane, box, view, scale, colors, options) {
  const sums = new Float64Array(SUMS),
    column = 1 / scale;
  let low = lane.from;
  for (let x = 0; x < pixels.width; ++x) {
    const from = view.from + x * column;
    low = sumBetween(spans, kindOf, lane, from, from + column, sums, low);
    if (low >= lane.to) return;
    let bottom = box.y + box.body,
      exact = 0;
    for (let kind = 0; kind < KINDS; ++kind) {
      if (options.hidden[kind] || sums[kind] <= 0) continue;
      exact += (sums[kind] / column) * box.body;
      const top = Math.max(box.y, box.y + box.body - Math.round(exact));
      if (top < bottom) pixels.kind(x, top, 1, bottom - top, kind, colors, options.patterns);
      bottom = Math.min(bottom, top);
    }
    if (options.worth && (sums[SUM_ANSWERED] > 0 || sums[SUM_RUNS] > 0)) {
      let busy = 0;
      for (let kind = 0; kind < KINDS; ++kind) busy += sums[kind];
      const high = Math.max(1, Math.round((box.strip * sums[SUM_ANSWERED]) / Math.max(1, busy)));
      pixels.fill(x, box.y + box.body + 1 + box.strip - high, 1, high, colors.answered);
    }
  }
}

// Marks where found spans lie: `found` are their numbers in ascending order.
function paintFound(pixels, spans, lane, found, box, view, colors) {
  const scale = pixels.width / (view.to - view.from);
  const lower = (value) => {
    let low = 0,
      high = found.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (found[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const last = lower(firstFrom(spans, lane, view.to));
  for (let k = lower(firstAfter(spans, lane, view.from)); k < last;) {
    const i = found[k],
      x = Math.floor((spans.start[i] - view.from) * scale);
    pixels.fill(x, box.y, Math.max(1, Math.ceil((spans.end[i] - view.from) * scale) - x), 3, colors.found);
    k = Math.max(k + 1, lower(firstFrom(spans, lane, view.from + (x + 1) / scale, i))); // the next that has a column of its own
  }
}
