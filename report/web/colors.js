// SPDX-License-Identifier: MIT
// The colours of the style sheet as numbers for pixels, and the pattern of each kind of call for eyes and printers without colour.

const KIND_NAMES = ["open", "look", "read", "write", "network", "wait", "process", "memory", "other"];

// True where the pattern is dark. Two kinds that often stand side by side differ in direction.
const PATTERNS = [
  () => false,
  (x, y) => (x + y) % 6 < 2,
  (x, y) => y % 5 < 1,
  (x, y) => x % 5 < 1,
  (x, y) => x % 4 < 1 && y % 4 < 1,
  (x, y) => (x - y + 6000) % 8 < 3,
  (x, y) => x % 6 < 1 || y % 6 < 1,
  (x, y) => (x + y) % 4 < 1,
  (x, y) => (x >> 2) % 2 === (y >> 2) % 2,
];

function parseColor(text) {
  const [r, g, b] = text
    .trim()
    .slice(1)
    .match(/../g)
    .map((two) => parseInt(two, 16));
  return [r, g, b];
}
const pixelOf = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
const mixed = (a, b, share) => a.map((v, i) => Math.round(v * (1 - share) + b[i] * share));

function readColors() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => parseColor(style.getPropertyValue(`--${name}`));
  const paper = of("lane"),
    ink = of("ink");
  return {
    paper: pixelOf(paper),
    kinds: KIND_NAMES.map((name) => pixelOf(of(`k-${name}`))),
    dark: KIND_NAMES.map((name) => pixelOf(mixed(of(`k-${name}`), ink, 0.35))),
    edge: KIND_NAMES.map((name) => pixelOf(mixed(of(`k-${name}`), paper, 0.45))),
    strip: pixelOf(of("strip")),
    runs: pixelOf(ink),
    answered: pixelOf(of("good")),
    found: pixelOf(of("found")),
    failed: pixelOf(of("bad")),
    css: (name) => style.getPropertyValue(`--${name}`).trim(),
  };
}
