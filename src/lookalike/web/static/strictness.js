// How much a search shows: five named stops, and below them how many images there are at each, by how alike they are.

import { draw, make } from "./dom.js";
import { number, t } from "./text.js";
import { isCopy } from "./tiles.js";

export const STOPS = /** @type {const} */ (["copies", "scene", "close", "similar", "all"]);
const BINS = 6; // bars a stop
const HIGH = 36;

/**
 * The first stop that shows a hit, by number.
 * @param {api.Hit} hit
 * @param {api.Info} known
 */
export function stopOf(hit, { near, similar }) {
  if (isCopy(hit)) return 0;
  if (hit.relation === "same-scene") return 1;
  if (hit.relation === "similar" && hit.distance <= Math.min(near, similar)) return 2;
  return hit.relation === "similar" ? 3 : 4;
}

export class Strictness {
  /** @param {(stop: number) => unknown} onChange */
  constructor(onChange) {
    this.input = make("input", { type: "range", min: 0, max: STOPS.length - 1, step: 1, id: "strictness", "aria-label": t("search.strictness") });
    this.input.addEventListener("input", () => { this.name(); onChange(Number(this.input.value)); });
    this.bars = draw("svg", { viewBox: `0 0 ${STOPS.length * BINS} ${HIGH}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    this.names = STOPS.map((_, at) => make("button", { type: "button", class: "plain", tabindex: "-1", on: { click: () => {
      this.input.value = String(at);
      this.name();
      onChange(at);
    } } }));
    this.node = make("div", { class: "strictness" }, this.bars, this.input, make("div", { class: "stops" }, ...this.names));
    /** @type {number[]} */
    this.counts = [];
  }

  /**
   * @param {api.Hit[]} hits
   * @param {api.Info} known
   * @param {number} stop
   */
  show(hits, known, stop) {
    const stops = hits.map((hit) => stopOf(hit, known));
    this.counts = STOPS.map((_, at) => stops.filter((one) => one === at).length);
    const bins = STOPS.flatMap((_, stop) => histogram(hits.filter((_, at) => stops[at] === stop).map((hit) => hit.distance)));
    const most = Math.max(1, ...bins);
    this.bars.replaceChildren(...bins.map((value, at) => {
      const high = value ? Math.max(2, HIGH * Math.sqrt(value / most)) : 0;
      return draw("rect", { x: at + 0.1, width: 0.8, y: HIGH - high, height: high });
    }));
    this.names.forEach((one, at) => { one.textContent = t(`stop.${STOPS[at]}`); });
    this.input.value = String(stop);
    this.name();
  }

  name() {
    const stop = Number(this.input.value);
    const shown = this.counts.slice(0, stop + 1).reduce((sum, one) => sum + one, 0);
    this.input.setAttribute("aria-valuetext", `${t(`stop.${STOPS[stop]}`)}: ${number(shown)}`);
    this.names.forEach((one, at) => { one.classList.toggle("on", at <= stop); });
    [...this.bars.children].forEach((bar, at) => { bar.classList.toggle("on", at < (stop + 1) * BINS); });
  }
}

/**
 * How many distances are in each of some equal parts.
 * @param {number[]} distances
 */
function histogram(distances) {
  const bins = new Array(BINS).fill(0);
  const low = Math.min(...distances), width = Math.max(1, Math.max(...distances) - low + 1) / BINS;
  for (const one of distances) bins[Math.min(BINS - 1, Math.floor((one - low) / width))] += 1;
  return bins;
}
