// Thousands of tiles, of which only those in sight are in the document.
//
// Cells have one size, so a tile's place follows from its number, and pages can be requested from any place on. Pages of a
// list that grows or shrinks meanwhile may repeat or lack an image; the next visit mends that.

import { focused, make, targetOf, within } from "./dom.js";

const PAGE = 100; // images per request
const KEPT = 60; // pages
const SETTLED = 70; // milliseconds without scrolling before pages are requested
const GAP = 10;
const BELOW = 22; // pixels of a tile's words
const HIGHEST = 15_000_000; // pixels: browsers draw no higher element

export class Grid {
  /**
   * @param {object} options
   * @param {(start: number, count: number) => Promise<api.Image[]>} options.load
   * @param {(image: api.Image, number: number) => HTMLElement} options.tile makes an <li>
   * @param {string} options.says the list's name for screen readers
   * @param {HTMLElement | null} [options.scroller] what scrolls; the page, if it is not given
   * @param {number} [options.cell] the least width of a tile, in CSS pixels
   * @param {(error: unknown) => unknown} [options.onProblem]
   */
  constructor({ load, tile, says, scroller = null, cell = 168, onProblem = () => {} }) {
    this.load = load;
    this.makeTile = tile;
    this.scroller = scroller;
    this.cell = cell;
    this.onProblem = onProblem;
    this.node = make("ul", { class: "grid", "aria-label": says });
    /** @type {Map<number, api.Image[] | null>} */
    this.pages = new Map(); // by number; null while a page is requested
    /** @type {Map<number, HTMLElement>} */
    this.shown = new Map(); // tiles by number
    this.total = 0;
    this.current = 0; // the tile that Tab leads to
    /** @type {number | null} */
    this.wanted = null; // the tile that gets the focus when it has come
    this.version = 0;
    this.columns = 2;
    this.side = cell;
    this.row = 0; // pixels; 0 until it was measured
    this.most = 0; // tiles that a browser can draw
    this.frame = 0;
    this.timer = 0;
    this.node.addEventListener("keydown", (event) => this.move(event));
    this.node.addEventListener("focusin", (event) => this.choose(Number(targetOf(event).closest("li")?.dataset.number)));
    (scroller || window).addEventListener("scroll", () => this.soon(), { passive: true });
    new ResizeObserver(() => this.measure()).observe(this.node);
  }

  /**
   * Show another list of `total` images; `images` are the first of them, if they are known.
   * @param {number} total
   * @param {api.Image[]} images
   */
  reset(total, images = []) {
    this.version += 1;
    this.pages.clear();
    for (let at = 0; at * PAGE < images.length; at += 1) {
      const page = images.slice(at * PAGE, (at + 1) * PAGE);
      if (page.length === PAGE || at * PAGE + page.length === total) this.pages.set(at, page);
    }
    for (const item of this.shown.values()) item.remove();
    this.shown.clear();
    this.total = total;
    this.current = 0;
    this.measure();
  }

  /** @param {number} cell */
  resize(cell) {
    const first = this.inSight()[0];
    this.cell = cell;
    this.measure();
    if (first) this.scrollTo(first);
  }

  measure() {
    const width = this.node.clientWidth;
    if (!width) return;
    this.columns = Math.max(2, Math.floor((width + GAP) / (this.cell + GAP)));
    this.side = Math.floor((width - GAP * (this.columns - 1)) / this.columns);
    this.row = this.side + BELOW + GAP;
    this.most = Math.floor(HIGHEST / this.row) * this.columns;
    const rows = Math.ceil(Math.min(this.total, this.most) / this.columns);
    this.node.style.height = `${rows * this.row}px`;
    for (const [number, item] of this.shown) this.put(item, number);
    this.draw();
  }

  soon() {
    this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  // Numbers of the first tile in sight, and of the first behind, with a screen more on either side.
  inSight(more = 0) {
    if (!this.row) return [0, 0];
    const box = this.node.getBoundingClientRect();
    const view = this.scroller ? this.scroller.getBoundingClientRect() : { top: 0, height: innerHeight };
    const top = view.top - box.top - more * view.height;
    const first = Math.max(0, Math.floor(top / this.row)) * this.columns;
    const end = Math.ceil((top + (1 + 2 * more) * view.height) / this.row) * this.columns;
    return [Math.min(first, this.total), Math.max(0, Math.min(end, this.total, this.most))];
  }

  draw() {
    if (!this.node.clientWidth) return; // another tab is shown
    const [first, end] = this.inSight(0.75);
    for (const [number, item] of this.shown) {
      if ((number < first || number >= end) && !item.contains(document.activeElement)) this.drop(number, item);
    }
    const fresh = [];
    for (let number = first; number < end; number += 1) {
      if (!this.shown.has(number)) fresh.push(this.add(number));
    }
    this.node.append(...fresh);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(first, end), this.pages.size ? SETTLED : 0);
  }

  /** @param {number} number @param {HTMLElement} item */
  drop(number, item) {
    item.querySelector("img")?.removeAttribute("src"); // so that it is not loaded any more
    item.remove();
    this.shown.delete(number);
  }

  /** @param {number} number */
  add(number) {
    const image = this.pages.get(Math.floor(number / PAGE))?.[number % PAGE];
    const item = image ? this.makeTile(image, number) : make("li", { class: "tile waiting" }, make("span", { class: "frame" }));
    item.dataset.number = String(number);
    item.setAttribute("aria-setsize", String(this.total));
    item.setAttribute("aria-posinset", String(number + 1));
    reach(item, number === this.current ? 0 : -1);
    this.put(item, number);
    this.shown.set(number, item);
    return item;
  }

  /** @param {HTMLElement} item @param {number} number */
  put(item, number) {
    const x = (number % this.columns) * (this.side + GAP);
    const y = Math.floor(number / this.columns) * this.row;
    item.style.width = `${this.side}px`;
    item.style.transform = `translate(${x}px, ${y}px)`;
    within(item, ".frame").style.height = `${this.side}px`;
  }

  /** @param {number} first @param {number} end */
  ask(first, end) {
    for (let at = Math.floor(first / PAGE); at * PAGE < end; at += 1) {
      if (!this.pages.has(at)) this.fetch(at);
    }
  }

  /** @param {number} at */
  async fetch(at) {
    const { version } = this;
    this.pages.set(at, null);
    try {
      const images = await this.load(at * PAGE, PAGE);
      if (version !== this.version) return;
      this.pages.delete(at); // so that it is the last to be dropped
      this.pages.set(at, images);
      for (const old of this.pages.keys()) if (this.pages.size > KEPT) this.pages.delete(old);
      this.fill(at);
    } catch (error) {
      if (version !== this.version) return;
      this.pages.delete(at);
      this.onProblem(error);
    }
  }

  /**
   * Replace the waiting tiles of a page by its images.
   * @param {number} at
   */
  fill(at) {
    for (const [number, item] of this.shown) {
      if (Math.floor(number / PAGE) !== at || !item.matches(".waiting")) continue;
      const hadFocus = item.contains(focused());
      const fresh = this.pages.get(at)?.[number % PAGE] ? this.add(number) : null;
      if (!fresh) continue;
      item.replaceWith(fresh);
      if (hadFocus || this.wanted === number) this.focus(number);
    }
  }

  /** @param {number} number */
  choose(number) {
    if (number === this.current) return;
    reach(this.shown.get(this.current), -1);
    reach(this.shown.get(number), 0);
    this.current = number;
  }

  /** @param {KeyboardEvent} event */
  move(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor((this.scroller?.clientHeight || innerHeight) / this.row)) * this.columns;
    /** @type {Record<string, number>} */
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns, PageUp: -page, PageDown: page,
      Home: -this.total, End: this.total,
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    this.focus(Math.max(0, Math.min(Math.min(this.total, this.most) - 1, this.current + step)));
  }

  /**
   * Scroll to a tile, and give it the focus as soon as it is there.
   * @param {number} number
   */
  focus(number) {
    this.choose(number);
    this.scrollTo(number);
    this.draw();
    this.wanted = number;
    const link = this.shown.get(number)?.querySelector("a");
    if (!link) return;
    this.wanted = null;
    link.focus({ preventScroll: true });
  }

  /** @param {number} number */
  scrollTo(number) {
    const y = Math.floor(number / this.columns) * this.row;
    const box = this.node.getBoundingClientRect();
    const view = this.scroller ? this.scroller.getBoundingClientRect() : { top: 0, bottom: innerHeight };
    const covered = this.scroller ? 0 : 110; // by what sticks to the top
    const top = box.top + y - view.top;
    const scrolls = this.scroller || document.documentElement;
    if (top < covered) scrolls.scrollTop += top - covered;
    else if (box.top + y + this.row > view.bottom) scrolls.scrollTop += box.top + y + this.row - view.bottom;
  }
}

/**
 * Let Tab reach what is in a tile (0), or not (−1).
 * @param {HTMLElement | undefined} item
 * @param {number} index
 */
function reach(item, index) {
  for (const one of /** @type {Iterable<HTMLElement>} */ (item?.querySelectorAll("a, button") || [])) one.tabIndex = index;
}
