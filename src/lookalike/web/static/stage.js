// Pictures that are enlarged and moved together: wheel, two fingers, double click, drag. Each lies in a pane.

import { make } from "./dom.js";

const CLOSEST = 24; // greatest enlargement

export class Stage {
  /** @param {HTMLElement} node */
  constructor(node) {
    this.node = node;
    /** @type {{ pane: HTMLElement, sheet: HTMLElement, width: number, height: number, fit: (width: number, height: number) => unknown }[]} */
    this.panes = [];
    this.zoom = 1;
    this.x = 0; // shares of the pane by which the pictures are moved
    this.y = 0;
    /** @type {Map<number, Point>} */
    this.pointers = new Map();
    this.onView = () => {};
    node.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.closer(Math.exp(-Math.max(-120, Math.min(120, event.deltaY)) * 0.003), this.at(event));
    }, { passive: false });
    node.addEventListener("dblclick", (event) => this.closer(this.zoom > 4 ? 1 / this.zoom : 2, this.at(event)));
    node.addEventListener("pointerdown", (event) => this.down(event));
    node.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) node.addEventListener(name, (event) => this.pointers.delete(/** @type {PointerEvent} */ (event).pointerId));
    new ResizeObserver(() => this.place()).observe(node);
  }

  clear() {
    this.panes = [];
    this.node.replaceChildren();
  }

  /**
   * Add a picture of a shape, as large as its pane allows. `fit` is called with its size when that changes.
   * @param {number} width
   * @param {number} height
   * @param {Child[]} children
   * @param {{ below?: Child, fit?: (width: number, height: number) => unknown }} options
   */
  add(width, height, children, { below = null, fit = () => {} } = {}) {
    const sheet = make("div", { class: "sheet" }, ...children);
    const pane = make("div", { class: "pane" }, sheet);
    this.node.append(make("figure", {}, pane, below));
    this.panes.push({ pane, sheet, width, height, fit });
    this.place();
    return sheet;
  }

  place() {
    for (const { pane, sheet, width, height, fit } of this.panes) {
      const { clientWidth: wide, clientHeight: high } = pane;
      if (!wide || !high) continue;
      const scale = Math.min(wide / width, high / height, Math.max(1, 480 / Math.max(width, height)));
      const size = [width * scale, height * scale];
      sheet.style.width = `${size[0]}px`;
      sheet.style.height = `${size[1]}px`;
      const x = (wide - size[0] * this.zoom) / 2 + this.x * wide, y = (high - size[1] * this.zoom) / 2 + this.y * high;
      sheet.style.transform = `translate(${x}px, ${y}px) scale(${this.zoom})`;
      fit(size[0], size[1]);
    }
    this.onView();
  }

  // Where an event is in its pane, in shares from the middle.
  /** @param {MouseEvent} event @returns {Point} */
  at(event) {
    const pane = /** @type {Element} */ (event.target).closest(".pane") || this.panes[0]?.pane;
    const box = pane?.getBoundingClientRect();
    return box ? [(event.clientX - box.left) / box.width - 0.5, (event.clientY - box.top) / box.height - 0.5] : [0, 0];
  }

  /** @param {number} factor */
  closer(factor, [x, y] = [0, 0]) {
    const zoom = Math.max(1, Math.min(CLOSEST, this.zoom * factor));
    const part = zoom / this.zoom;
    [this.x, this.y] = zoom === 1 ? [0, 0] : [x - (x - this.x) * part, y - (y - this.y) * part];
    this.zoom = zoom;
    this.place();
  }

  whole() {
    [this.zoom, this.x, this.y] = [1, 0, 0];
    this.place();
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (event.button || /** @type {Element} */ (event.target).closest("button, input")) return;
    this.node.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
  }

  /** @param {PointerEvent} event */
  move(event) {
    const before = this.pointers.get(event.pointerId), pane = this.panes[0]?.pane;
    if (!before || !pane) return;
    const now = /** @type {Point} */ ([event.clientX, event.clientY]);
    this.pointers.set(event.pointerId, now);
    if (this.pointers.size === 2) {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1] || before;
      const far = (/** @type {Point} */ one) => Math.max(10, Math.hypot(one[0] - other[0], one[1] - other[1]));
      this.closer(far(now) / far(before));
    } else if (this.zoom > 1) {
      this.x += (now[0] - before[0]) / pane.clientWidth;
      this.y += (now[1] - before[1]) / pane.clientHeight;
      this.place();
    }
  }
}
