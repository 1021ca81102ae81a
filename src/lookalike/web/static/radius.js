// The slider of the greatest distance, over a histogram of the distances that were found.

import { draw, make } from "./dom.js";

const HIGH = 24; // pixels

// A slider from 0 to half the bits; its right end means any distance.
export class Radius {
  /** @param {api.Info} known @param {(radius: number | null) => unknown} onInput */
  constructor({ bits, same, duplicate, similar }, onInput) {
    this.limits = { same, duplicate, similar };
    this.most = Math.floor(bits / 2) + 1;
    this.chart = draw("svg", { class: "distances", viewBox: `0 0 ${this.most + 1} ${HIGH}`, preserveAspectRatio: "none",
      "aria-hidden": "true" });
    this.input = make("input", { type: "range", id: "radius", min: 0, max: this.most, "aria-describedby": "radius-means" });
    this.output = make("output", { id: "radius-means", for: "radius", class: "told" });
    this.input.addEventListener("input", () => { this.tell(); onInput(this.value); });
    this.node = make(
      "div", { class: "radius" }, make("label", { for: "radius", text: "Distance" }),
      make("div", { class: "track" }, this.chart, this.input), this.output,
    );
    this.value = null;
  }

  /** @returns {number | null} */
  get value() {
    return Number(this.input.value) === this.most ? null : Number(this.input.value);
  }

  set value(radius) {
    this.input.value = String(radius === null ? this.most : Math.min(radius, this.most));
    this.tell();
  }

  tell() {
    const { value } = this;
    const words = value === null ? "any" : `≤ ${value}: ${value === 0 ? "identical" : `up to ${this.word(value)}`}`;
    this.output.textContent = words;
    this.input.setAttribute("aria-valuetext", value === null ? "any distance" : words);
    for (const bar of this.chart.querySelectorAll(".bar")) {
      bar.classList.toggle("out", value !== null && Number(bar.getAttribute("data-at")) > value);
    }
  }

  /**
   * What images at a distance are called.
   * @param {number} distance
   */
  word(distance) {
    if (distance === 0) return "identical";
    if (distance <= this.limits.same) return "same";
    if (distance <= this.limits.duplicate) return "near-duplicate";
    return distance <= this.limits.similar ? "similar" : "different";
  }

  /**
   * Draw how many hits have each distance.
   * @param {api.Hit[]} hits
   */
  draw(hits) {
    /** @type {number[]} */
    const counts = new Array(this.most + 1).fill(0);
    for (const hit of hits) if (hit.distance <= this.most) counts[hit.distance] += 1;
    const highest = Math.max(1, ...counts);
    const { similar } = this.limits;
    const edge = similar < 0 || similar >= this.most ? [] : [draw("line", { class: "edge", x1: similar + 1, x2: similar + 1, y1: 0, y2: HIGH })];
    this.chart.replaceChildren(...edge, ...counts.flatMap((count, at) => {
      if (!count) return [];
      const height = Math.max(2, (HIGH * Math.sqrt(count)) / Math.sqrt(highest));
      const kind = `bar ${this.word(at)}`;
      return [draw("rect", { class: kind, x: at + 0.1, width: 0.8, y: HIGH - height, height, "data-at": at })];
    }));
    this.tell();
  }
}
