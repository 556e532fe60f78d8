// SPDX-License-Identifier: MIT
// Numbers for people.

function timeText(ns) {
  const size = Math.abs(ns);
  const digits = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));
  if (size < 1e3) return `${Math.round(ns)} ns`;
  if (size < 1e6) return `${digits(ns / 1e3)} us`;
  if (size < 1e9) return `${digits(ns / 1e6)} ms`;
  return `${digits(ns / 1e9)} s`;
}

// A moment, exact to the step at which moments are shown.
function momentText(ns, step) {
  const [unit, size] = step >= 1e8 ? ["s", 1e9] : step >= 1e5 ? ["ms", 1e6] : ["us", 1e3];
  const decimals = Math.max(0, Math.ceil(-Math.log10(step / size) - 1e-9));
  return `${(ns / size).toFixed(Math.min(decimals, 3))} ${unit}`;
}

const countText = (n) => Math.round(n).toLocaleString("en-US");
const percentText = (part, whole) => (whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "");

function bytesText(n) {
  if (n < 1e4) return `${countText(n)} B`;
  if (n < 1e7) return `${(n / 1e3).toFixed(0)} kB`;
  return n < 1e10 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(1)} GB`;
}

// 1, 2 or 5 times a power of ten: not less than `least`.
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return [1, 2, 5, 10].map((k) => k * power).find((step) => step >= least * 0.999999);
}
