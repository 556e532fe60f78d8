// SPDX-License-Identifier: MIT
// Sums over any stretch of a thread, in a time that hardly grows with its calls: a tree of groups of 32 spans.
// For each group: time by kind of call, then time that procedures would have answered, their runs, failed calls, all calls.

const FAN = 32,
  KINDS = 9;
const SUM_ANSWERED = KINDS,
  SUM_RUNS = KINDS + 1,
  SUM_FAILED = KINDS + 2,
  SUM_CALLS = KINDS + 3,
  SUMS = KINDS + 4;

function addSpan(spans, kindOf, i, into, at, scale = 1) {
  const busy = busyOf(spans, i) * scale,
    flags = spans.flags[i];
  into[at + kindOf[spans.name[i]]] += busy;
  if (flags & ANSWERED) into[at + SUM_ANSWERED] += busy;
  if (flags & RUNS) into[at + SUM_RUNS] += 1;
  if (flags & FAILED) into[at + SUM_FAILED] += 1;
  if (!(flags & SIGNAL)) into[at + SUM_CALLS] += callsOf(spans, i);
}

// kindOf: of a call's number. Groups of a lane begin at its first span.
function buildLevels(spans, kindOf) {
  for (const lane of spans.lanes) {
    lane.levels = [];
    for (let size = FAN, count = lane.to - lane.from; count >= FAN; size *= FAN) {
      count = Math.floor((lane.to - lane.from) / size);
      if (!count) break;
      const sums = new Float32Array(count * SUMS),
        below = lane.levels.at(-1);
      for (let g = 0; g < count; ++g) {
        if (below)
          for (let k = 0; k < FAN; ++k)
            for (let s = 0; s < SUMS; ++s) sums[g * SUMS + s] += below[(g * FAN + k) * SUMS + s];
        else
          for (let i = lane.from + g * FAN; i < lane.from + (g + 1) * FAN; ++i)
            addSpan(spans, kindOf, i, sums, g * SUMS);
      }
      lane.levels.push(sums);
    }
  }
}

// Adds up the spans [from, to) of a lane.
function sumSpans(spans, kindOf, lane, from, to, into) {
  let i = from;
  while (i < to) {
    let level = -1,
      size = 1;
    while (
      level + 1 < lane.levels.length &&
      (i - lane.from) % (size * FAN) === 0 &&
      i + size * FAN <= to &&
      ((i - lane.from) / (size * FAN) + 1) * SUMS <= lane.levels[level + 1].length
    ) {
      ++level;
      size *= FAN;
    }
    if (level < 0) {
      addSpan(spans, kindOf, i, into, 0);
    } else {
      const sums = lane.levels[level],
        at = ((i - lane.from) / size) * SUMS;
      for (let s = 0; s < SUMS; ++s) into[s] += sums[at + s];
    }
    i += size;
  }
}

// The first of the lane's spans that ends after the moment.
function firstAfter(spans, lane, moment, low = lane.from) {
  let high = lane.to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans.end[middle] > moment) high = middle;
    else low = middle + 1;
  }
  return low;
}

// The first that starts at the moment or later.
function firstFrom(spans, lane, moment, low = lane.from) {
  let high = lane.to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans.start[middle] >= moment) high = middle;
    else low = middle + 1;
  }
  return low;
}

// What lies between two moments, spans that reach out of them by their part inside. `low`: a span not after the first; gives
// the last that began before `to`, for the next stretch.
function sumBetween(spans, kindOf, lane, from, to, into, low = lane.from) {
  into.fill(0);
  const first = firstAfter(spans, lane, from, low),
    last = firstFrom(spans, lane, to, first);
  if (first >= last) return first;
  const inside = (i) => {
    const length = spans.end[i] - spans.start[i];
    return length > 0 ? (Math.min(spans.end[i], to) - Math.max(spans.start[i], from)) / length : 1;
  };
  addSpan(spans, kindOf, first, into, 0, inside(first));
  if (last - first > 1) {
    sumSpans(spans, kindOf, lane, first + 1, last - 1, into);
    addSpan(spans, kindOf, last - 1, into, 0, inside(last - 1));
  }
  return last - 1;
}
