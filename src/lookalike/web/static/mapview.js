// The map on a canvas: points, thumbnails where there is room, pan, zoom and lasso. Places are those of the plane, 0 to
// 9999; `scale` is how many pixels one unit is.

import { contextOf } from "./dom.js";
import { Pictures } from "./pictures.js";

/** @typedef {import("./points.js").Points} Points */
/** @typedef {{ label: number, name: string, count: number }} Common */

const WORLD = 10000;
const MARGIN = 28; // pixels around the whole map
const CLOSEST = 400; // greatest zoom
const ROOM = 46; // pixels of a thumbnail's square, to twice as many
const MANY = 1500; // with more points in sight none has a thumbnail
const FEW = 260; // thumbnails
const NEAR = 14; // pixels from the pointer to the point that is meant
export const COLOURS = ["#3f7fbf", "#e0596b", "#2f8f4e", "#c9a227", "#7d5bbf", "#1fa3a3", "#e07b39", "#b5548e"];

export class MapView extends EventTarget {
  /**
   * Fires: `hover` (detail: a point or −1), `pick` (a point), `lasso` (a closed line), `view`.
   * @param {HTMLCanvasElement} canvas
   * @param {Points} points
   * @param {Common[]} common the labels that have a colour
   */
  constructor(canvas, points, common) {
    super();
    this.canvas = canvas;
    this.points = points;
    this.context = contextOf(canvas, { alpha: false });
    this.pictures = new Pictures((id) => `/api/v1/images/${id}/thumbnail?size=128`, () => this.soon());
    /** @type {Map<number, Set<number>>} */
    this.levels = new Map(); // points with thumbnails, by level
    this.selected = new Uint8Array(points.length);
    this.anySelected = false;
    this.only = -1; // the label that alone is shown in colour
    this.lassoing = false;
    this.draws = false; // the lasso, now
    /** @type {number[]} */
    this.line = [];
    this.hover = -1;
    /** @type {Map<number, Point>} */
    this.pointers = new Map();
    this.moved = 0; // pixels, since a pointer went down
    this.width = 0; // pixels; 0 until the canvas was measured
    this.height = 0;
    this.ratio = 1;
    this.whole = 0; // the scale that shows the whole map
    this.scale = 0;
    this.left = 0;
    this.top = 0;
    /** @type {View | null} */
    this.first = null; // what to show once it was measured
    this.frame = 0;
    this.colours = { paper: "", grey: "", dot: "", mark: "", faint: "", ink: "" };
    this.colour = new Int8Array(points.labels.length).fill(-1); // of each label; −1: none
    common.forEach(({ label }, at) => { this.colour[label] = at; });
    this.groups = this.group();
    this.listen();
    new ResizeObserver(() => this.measure()).observe(canvas);
    this.recolour();
  }

  // Points by colour, so that a colour is set once for all that have it; the last have none.
  group() {
    /** @type {number[][]} */
    const groups = Array.from({ length: COLOURS.length + 1 }, () => []);
    for (let at = 0; at < this.points.length; at += 1) {
      const label = this.points.label[at];
      groups[label >= 0 && this.colour[label] >= 0 ? this.colour[label] : COLOURS.length].push(at);
    }
    return groups.map((group) => Int32Array.from(group));
  }

  /** @param {number} at */
  colourOf(at) {
    return COLOURS[this.colour[this.points.label[at]]] || (this.only >= 0 ? this.colours.mark : this.colours.grey);
  }

  // Take the page's colours, which differ between light and dark.
  recolour() {
    const style = (/** @type {string} */ property) => {
      this.canvas.style.color = `var(${property})`;
      return getComputedStyle(this.canvas).color;
    };
    this.colours = { paper: style("--sunk"), grey: style("--different"), dot: style("--dot"), mark: style("--mark"), faint: style("--line"), ink: style("--ink") };
    this.canvas.style.color = "";
    this.soon();
  }

  measure() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width) return;
    const ratio = Math.min(2, devicePixelRatio || 1);
    [this.canvas.width, this.canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    const centre = this.width ? this.centre() : null;
    this.width = width;
    this.height = height;
    this.ratio = ratio;
    this.whole = (Math.min(width, height) - 2 * MARGIN) / WORLD;
    if (centre) this.look(centre);
    else if (this.first) this.look(this.first);
    else this.fit();
    this.paint();
  }

  /**
   * What is in view: the middle, and the zoom; 1 shows the whole map.
   * @typedef {{ x: number, y: number, zoom: number }} View
   * @returns {View}
   */
  centre() {
    return {
      x: (this.width / 2 - this.left) / this.scale, y: (this.height / 2 - this.top) / this.scale, zoom: this.scale / this.whole,
    };
  }

  /** @param {View} view */
  look({ x, y, zoom }) {
    if (!this.width) {
      this.first = { x, y, zoom };
      return;
    }
    this.scale = this.whole * Math.max(0.5, Math.min(CLOSEST, zoom));
    this.left = this.width / 2 - x * this.scale;
    this.top = this.height / 2 - y * this.scale;
    this.changed();
  }

  fit() {
    this.look({ x: WORLD / 2, y: WORLD / 2, zoom: 1 });
  }

  /** @param {number} x @param {number} y */
  pan(x, y) {
    this.left += x;
    this.top += y;
    this.changed();
  }

  /**
   * Zoom in by a factor; the place at (x, y) stays where it is.
   * @param {number} factor
   */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const scale = this.whole * Math.max(0.5, Math.min(CLOSEST, (this.scale * factor) / this.whole));
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.changed();
  }

  changed() {
    this.point(-1); // the card that belongs to a point would be beside it
    this.soon();
    this.dispatchEvent(new Event("view"));
  }

  /** @param {number[]} chosen */
  select(chosen) {
    this.selected.fill(0);
    for (const at of chosen) this.selected[at] = 1;
    this.anySelected = chosen.length > 0;
    this.soon();
  }

  // The points that can be seen.
  inSight() {
    /** @type {number[]} */
    const found = [];
    this.points.inBox(
      -this.left / this.scale, -this.top / this.scale,
      (this.width - this.left) / this.scale, (this.height - this.top) / this.scale, (at) => found.push(at),
    );
    return found;
  }

  soon() {
    this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.paint(); });
  }

  paint() {
    if (!this.width || !this.scale) return;
    const { context } = this;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.globalAlpha = 1;
    context.fillStyle = this.colours.paper;
    context.fillRect(0, 0, this.width, this.height);
    this.paintPoints(this.groups[COLOURS.length], this.only >= 0 ? this.colours.mark : this.colours.dot);
    COLOURS.forEach((colour, at) => { this.paintPoints(this.groups[at], colour); });
    this.paintThumbnails();
    this.paintHover();
    this.paintLine();
  }

  /** @param {Int32Array} group @param {string} colour */
  paintPoints(group, colour) {
    const { context, points, scale, left, top } = this;
    const zoom = scale / this.whole;
    const size = Math.min(9, (this.points.length > 5000 ? 2 : 3.5) + Math.log2(Math.max(1, zoom)));
    const half = size / 2;
    for (const bright of this.anySelected || this.only >= 0 ? [false, true] : [true]) {
      context.fillStyle = bright ? colour : this.colours.faint;
      for (let place = 0; place < group.length; place += 1) {
        const at = group[place];
        if (this.isBright(at) !== bright) continue;
        const x = points.x[at] * scale + left, y = points.y[at] * scale + top;
        if (x > -half && y > -half && x < this.width + half && y < this.height + half) context.fillRect(x - half, y - half, size, size);
      }
    }
  }

  /** @param {number} at */
  isBright(at) {
    return (!this.anySelected || this.selected[at] === 1) && (this.only < 0 || this.points.label[at] === this.only);
  }

  paintThumbnails() {
    const shown = this.inSight();
    if (!shown.length || shown.length > MANY) {
      this.pictures.want([]);
      return;
    }
    const level = Math.floor(Math.log2(this.scale / this.whole));
    const side = ROOM / (this.whole * 2 ** level);
    const thumbnails = this.levels.get(level) || new Set(this.points.ofSquares(side));
    this.levels.set(level, thumbnails);
    const chosen = shown.filter((at) => thumbnails.has(at)).sort((a, b) => a - b).slice(0, FEW);
    const size = Math.min(84, side * this.scale * 0.9);
    for (const at of chosen) this.paintThumbnail(at, size);
    this.pictures.want(chosen.map((at) => this.points.ids[at]));
  }

  /** @param {number} at @param {number} size */
  paintThumbnail(at, size) {
    const picture = this.pictures.get(this.points.ids[at]);
    if (!picture) return;
    const { context } = this;
    const fit = size / Math.max(picture.width, picture.height);
    const wide = picture.width * fit, high = picture.height * fit;
    const x = this.points.x[at] * this.scale + this.left - wide / 2;
    const y = this.points.y[at] * this.scale + this.top - high / 2;
    const bright = this.isBright(at);
    context.globalAlpha = bright ? 1 : 0.2;
    context.fillStyle = this.anySelected && bright ? this.colours.mark : this.colourOf(at);
    if (bright) context.fillRect(x - 1.5, y - 1.5, wide + 3, high + 3);
    context.drawImage(picture, x, y, wide, high);
    context.globalAlpha = 1;
  }

  paintHover() {
    if (this.hover < 0) return;
    const { context } = this;
    context.strokeStyle = this.colours.ink;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(this.points.x[this.hover] * this.scale + this.left, this.points.y[this.hover] * this.scale + this.top, 8, 0, 7);
    context.stroke();
  }

  paintLine() {
    if (this.line.length < 4) return;
    const { context, line } = this;
    context.beginPath();
    for (let at = 0; at < line.length; at += 2) context.lineTo(line[at] * this.scale + this.left, line[at + 1] * this.scale + this.top);
    context.closePath();
    context.strokeStyle = this.colours.mark;
    context.fillStyle = this.colours.mark;
    context.lineWidth = 2;
    context.globalAlpha = 0.12;
    context.fill();
    context.globalAlpha = 1;
    context.stroke();
  }

  // Pointer, wheel

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.over(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.up(event));
    canvas.addEventListener("pointerleave", () => this.point(-1));
    canvas.addEventListener("dblclick", (event) => this.zoom(2, ...this.at(event)));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const step = event.deltaMode ? 24 * event.deltaY : event.deltaY;
      this.zoom(Math.exp(-Math.max(-120, Math.min(120, step)) * (event.ctrlKey ? 0.01 : 0.0025)), ...this.at(event));
    }, { passive: false });
  }

  /** @param {MouseEvent} event @returns {Point} */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** @param {Point} at @returns {Point} */
  place([x, y]) {
    return [(x - this.left) / this.scale, (y - this.top) / this.scale];
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.at(event));
    this.moved = 0;
    this.draws = this.pointers.size === 1 && (this.lassoing || event.shiftKey);
    this.line = this.draws ? this.place(this.at(event)) : [];
  }

  /** @param {PointerEvent} event */
  over(event) {
    const now = this.at(event), before = this.pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse") this.point(this.near(now));
      return;
    }
    this.moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (this.pointers.size === 2) this.pinch(event.pointerId, before, now);
    else if (this.draws) this.line.push(...this.place(now));
    else this.pan(now[0] - before[0], now[1] - before[1]);
    this.pointers.set(event.pointerId, now);
    this.soon();
  }

  /** @param {number} moving @param {Point} before @param {Point} now */
  pinch(moving, before, now) {
    this.draws = false;
    this.line = [];
    const other = [...this.pointers].find(([id]) => id !== moving)?.[1] || before;
    const far = (/** @type {Point} */ one) => Math.max(10, Math.hypot(one[0] - other[0], one[1] - other[1]));
    this.zoom(far(now) / far(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    this.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
  }

  /** @param {PointerEvent} event */
  up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.draws && this.moved > 10) this.tell("lasso", Float64Array.from(this.line));
    else if (this.moved < 5 && event.type === "pointerup" && !this.pointers.size) {
      const point = this.near(this.at(event));
      if (point >= 0) this.tell("pick", point);
    }
    this.draws = false;
    this.line = [];
    this.soon();
  }

  /** @param {Point} at */
  near(at) {
    return this.points.nearest(...this.place(at), NEAR / this.scale);
  }

  /** @param {number} at */
  point(at) {
    if (at === this.hover) return;
    this.hover = at;
    this.tell("hover", at);
    this.soon();
  }

  /** @param {string} name @param {unknown} detail */
  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
