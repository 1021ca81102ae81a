// Model: what made the codes, and how its bits are used here.

import { ask, info } from "./api.js";
import { count, draw, make, number } from "./dom.js";

const HIGH = 120; // of the charts, in their own units
const USUAL = [0.35, 0.65]; // shares of ones that count as balanced
/** @typedef {import("./address.js").State} State */
/** @typedef {{ low: number, high: number, line: number, say: (value: number) => string }} Scale */

/** @param {HTMLElement} container @param {State} state */
export async function show(container, state) {
  if (container.querySelector(".about")) return;
  const [model, known] = await Promise.all([ask("/api/model", { signal: state.signal }), info()]);
  container.append(
    make("div", { class: "about" }, card(model), facts(model, known)), model.use ? balance(model.use) : noImages(),
    ...(model.theta ? [thresholds(model.theta)] : []),
  );
}

/** @param {api.Balance} use */
function balance({ balance: shares, constant, correlation, effective, images }) {
  const odd = shares.filter((share) => share < USUAL[0] || share > USUAL[1]).length;
  const words = `${odd ? count(odd, "bit") : "No bit"} ${odd > 1 ? "are" : "is"} outside 35 to 65 %; `
    + `${constant ? count(constant, "bit") : "none"} never ${constant > 1 ? "change" : "changes"}.`;
  const figures = list([
    ["Effective bits", `${effective.toFixed(1)} of ${shares.length}`], ["Mean correlation of two bits", correlation.toFixed(3)],
    ["Bits that never change", number(constant)], ["Codes examined", number(images)],
  ]);
  return make(
    "section", { class: "panel" }, make("h2", { text: "Bit balance" }),
    make("p", { class: "soft", text: `The share of images that have each bit set; half is best. ${words}` }),
    chart("Share of ones of each bit", shares, { low: 0, high: 1, line: 0.5, say: (value) => `${(100 * value).toFixed(1)} %` }),
    figures, numbers("Share of ones", shares.map((value) => `${(100 * value).toFixed(1)} %`)),
  );
}

/** @param {number[]} values */
function thresholds(values) {
  const most = Math.max(...values.map(Math.abs), 1e-9);
  return make(
    "section", { class: "panel" }, make("h2", { text: "Thresholds θ" }),
    make("p", { class: "soft", text: "A bit is 1 where the encoder's value is above its threshold." }),
    chart("Threshold of each bit", values, { low: -most, high: most, line: 0, say: (value) => value.toFixed(3) }),
    numbers("θ", values.map((value) => value.toFixed(4))),
  );
}

/**
 * Bars of one value per bit, starting at `line`. The table below has the same values.
 * @param {string} name
 * @param {number[]} values
 * @param {Scale} scale
 */
function chart(name, values, { low, high, line, say: told }) {
  const y = (/** @type {number} */ value) => HIGH * (1 - (value - low) / (high - low));
  const wide = 1000 / values.length;
  const bars = values.map((value, at) => {
    const top = Math.min(y(value), y(line));
    return draw(
      "g", { class: "bit" }, draw("title", { text: `Bit ${at}: ${told(value)}` }),
      draw("rect", { class: "value", x: at * wide + wide * 0.12, width: wide * 0.76, y: top, height: Math.max(1, Math.abs(y(value) - y(line))) }),
    );
  });
  const lines = [0.25, 0.5, 0.75].map((part) => draw("line", { class: part === 0.5 ? "middle" : "", x1: 0, x2: 1000, y1: HIGH * part, y2: HIGH * part }));
  const svg = draw("svg", { class: "bars", viewBox: `0 0 1000 ${HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label":
    `${name}: bars for ${values.length} bits, from ${told(Math.min(...values))} to ${told(Math.max(...values))}. All values are in the table below.` },
  ...lines, ...bars);
  const scale = make("div", { class: "scale", "aria-hidden": "true" }, ...[high, line, low].map((value) => make("span", { text: told(value).replace(".0 %", " %") })));
  const ends = make("div", { class: "ends", "aria-hidden": "true" }, make("span", { text: "bit 0" }), make("span", { text: `bit ${values.length - 1}` }));
  return make("div", { class: "chart" }, scale, svg, ends);
}

/** @param {api.Model} model */
function card({ card: text, name }) {
  const paragraphs = text.split(/\n\s*\n/).filter((one) => one.trim());
  const shown = paragraphs.length ? paragraphs : ["This model file has no description."];
  return make("section", { class: "panel" }, make("h2", { text: name }), ...shown.map((one) => make("p", { text: one.replace(/\s+/g, " ") })));
}

/** @param {api.Calibrated | null} found */
function calibrated(found) {
  if (!found?.per_query) return null;
  const { count: wrong, total, high } = found.per_query;
  const searches = number(Math.round(wrong ? total / wrong : 1 / high));
  const copies = Object.entries(found.copies).map(([kind, one]) => `${kind} ${Math.round((100 * one.count) / one.total)} %`).join(", ");
  return `${wrong ? "about" : "at most"} 1 wrong match in ${searches} searches among ${number(found.images)} images; copies found: ${copies} (${new Date(1000 * found.at).toLocaleDateString()})`;
}

/** @param {api.Model} model @param {api.Info} known */
function facts({ about }, known) {
  const { image = {}, versions = {} } = about;
  /** @type {Row[]} */
  const rows = [
    ["Bits", number(known.bits)], ["Kind", about.model],
    ["Labels", about.supervised ? "used in training" : "not used"], ["Trained on", known.trained_on],
    ["Input", image.side ? `${image.side} × ${image.side} pixels, ${image.colour ? "colour" : "grey"}` : null],
    ["Epochs", about.epochs ? number(about.epochs) : null], ["Seed", about.seed === undefined ? null : String(about.seed)],
    ["Near-duplicate", known.duplicate < 0 ? "not used" : `up to ${count(known.duplicate, "bit")}`],
    ["Similar", `up to ${count(known.similar, "bit")}`],
    ["Searches", calibrated(known.calibration)],
    ["Different images", `at most 1 in 10,000 pairs within ${count(known.near, "bit")}`],
    ["Made with", Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")],
  ];
  return make("section", { class: "panel" }, make("h2", { text: "Facts" }), list(rows));
}

/** @typedef {[name: string, value: string | null | undefined]} Row */

/** @param {Row[]} rows */
function list(rows) {
  return make("dl", { class: "figures" }, ...rows.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { text: value })]));
}

/**
 * All values of a chart, for those who prefer to read them.
 * @param {string} name
 * @param {string[]} values
 */
function numbers(name, values) {
  const rows = values.map((value, at) => make("tr", {}, make("th", { scope: "row", text: at }), make("td", { text: value })));
  const head = make("tr", {}, make("th", { scope: "col", text: "Bit" }), make("th", { scope: "col", text: name }));
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
  return make("details", {}, make("summary", { text: "All values" }), make("div", { class: "values", tabindex: "0", role: "region", "aria-label": name }, table));
}

function noImages() {
  return make("p", { class: "nothing", text: "The collection is empty, so there are no bits to examine." });
}
