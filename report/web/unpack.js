// SPDX-License-Identifier: MIT
// The spans: columns of LEB128 numbers, deflated, in base64 (report/data.cc) -> typed arrays.

const RUNS = 1,
  ANSWERED = 2,
  FAILED = 4,
  SIGNAL = 8;

function bytesOfBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text),
    bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; ++i) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function readColumn(raw, [from, to], into) {
  for (let at = from, i = 0; at < to; ++i) {
    let value = 0,
      scale = 1,
      byte;
    do {
      byte = raw[at++];
      value += (byte & 127) * scale; // no shift: numbers may be longer than 32 bits
      scale *= 128;
    } while (byte >= 128);
    into[i] = value;
  }
  return into;
}

// Moments are nanoseconds since the first event. Spans of lane k: [lane.from, lane.to).
function decodeSpans(raw, meta) {
  const n = meta.count,
    columns = meta.columns;
  const spans = {
    count: n,
    start: readColumn(raw, columns.gap, new Float64Array(n)),
    end: readColumn(raw, columns.length, new Float64Array(n)),
    name: readColumn(raw, columns.name, new Uint16Array(n)),
    flags: readColumn(raw, columns.flags, new Uint8Array(n)),
    error: readColumn(raw, columns.error, new Uint16Array(n)),
    place: readColumn(raw, columns.place, new Uint32Array(n)),
    busy: columns.busy ? readColumn(raw, columns.busy, new Float64Array(n)) : null,
    calls: columns.calls ? readColumn(raw, columns.calls, new Uint32Array(n)) : null,
    places: new TextDecoder().decode(raw.subarray(...meta.places)).split("\n"),
    lanes: [],
  };
  let from = 0;
  for (const [tid, pid, count, program] of meta.lanes) {
    const lane = { tid, pid, program, from, to: from + count };
    let now = 0;
    for (let i = lane.from; i < lane.to; ++i) {
      spans.start[i] += now;
      now = spans.end[i] += spans.start[i];
    }
    spans.lanes.push(lane);
    from = lane.to;
  }
  return spans;
}

const busyOf = (spans, i) => (spans.busy ? spans.busy[i] : spans.end[i] - spans.start[i]);
const callsOf = (spans, i) => (spans.calls ? spans.calls[i] : 1);
