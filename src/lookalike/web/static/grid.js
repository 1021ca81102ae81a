// Thousands of tiles, of which only those in sight are in the document.
//
// A layout (layouts.js) says where each is. Pages can be requested from any place on; those of a list that grows or shrinks
// meanwhile may repeat or lack an image, which the next visit mends.

import { focused, make, targetOf, within } from "./dom.js";
import { Squares } from "./layouts.js";

const PAGE = 100; // images per request
const KEPT = 60; // pages
const SETTLED = 70; // milliseconds without scrolling before pages are requested

/** @template {api.Image} I */
export class Grid {
  /**
   * @param {object} options
   * @param {(start: number, count: number) => Promise<I[]>} [options.load] not needed if `reset` gets all images
   * @param {(image: I, number: number) => HTMLElement} options.tile makes an <li>
   * @param {string} options.says the list's name for screen readers
   * @param {HTMLElement | null} [options.scroller] what scrolls; the page, if it is not given
   * @param {Squares | import("./layouts.js").Rows} [options.layout] where the tiles are
   * @param {(error: unknown) => unknown} [options.onProblem]
   */
  constructor({ load = async () => [], tile, says, scroller = null, layout = new Squares(168), onProblem = () => {} }) {
    this.load = load;
    this.makeTile = tile;
    this.scroller = scroller;
    this.layout = layout;
    this.onProblem = onProblem;
    this.node = make("ul", { class: "grid", "aria-label": says });
    /** @type {Map<number, I[] | null>} */
    this.pages = new Map(); // by number; null while a page is requested
    /** @type {Map<number, HTMLElement>} */
    this.shown = new Map(); // tiles by number
    this.total = 0;
    this.current = 0; // the tile that Tab leads to
    /** @type {number | null} */
    this.wanted = null; // the tile that gets the focus when it has come
    this.version = 0;
    this.measured = 0; // the width for which the layout is
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
   * @param {I[]} images
   */
  reset(total, images = [], layout = this.layout) {
    this.version += 1;
    this.layout = layout;
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

  // The size of squares.
  get side() {
    return this.layout instanceof Squares ? this.layout.side : 256;
  }

  // How many tiles a browser can draw.
  get most() {
    return this.layout.most;
  }

  /** @param {number} cell the least width of a square */
  resize(cell) {
    const first = this.inSight()[0];
    this.layout = new Squares(cell);
    this.measure();
    if (first) this.scrollTo(first);
  }

  measure() {
    const width = this.node.clientWidth;
    if (!width) return;
    this.measured = width;
    this.layout.fit(width, this.total);
    this.node.style.height = `${this.layout.height}px`;
    for (const [number, item] of this.shown) this.put(item, number);
    this.draw();
  }

  soon() {
    this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  // Numbers of the first tile in sight, and of the first behind, with a screen more on either side.
  inSight(more = 0) {
    if (!this.measured) return [0, 0];
    const box = this.node.getBoundingClientRect();
    const view = this.scroller ? this.scroller.getBoundingClientRect() : { top: 0, height: innerHeight };
    const top = view.top - box.top - more * view.height;
    return this.total ? this.layout.range(top, top + (1 + 2 * more) * view.height) : [0, 0];
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
    const { x, y, width, height, below } = this.layout.place(number);
    item.style.width = `${width}px`;
    item.style.transform = `translate(${x}px, ${y}px)`;
    within(item, ".frame").style.height = `${height - below}px`;
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
    const rows = Math.max(1, Math.floor((this.scroller?.clientHeight || innerHeight) / this.layout.place(this.current).height));
    const under = (/** @type {number} */ many) => this.layout.under(this.current, many) - this.current;
    /** @type {Record<string, number>} */
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: under(-1), ArrowDown: under(1), PageUp: under(-rows), PageDown: under(rows),
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
    const { y, height } = this.layout.place(number);
    const box = this.node.getBoundingClientRect();
    const view = this.scroller ? this.scroller.getBoundingClientRect() : { top: 0, bottom: innerHeight };
    const covered = this.scroller ? 0 : 110; // by what sticks to the top
    const top = box.top + y - view.top;
    const scrolls = this.scroller || document.documentElement;
    if (top < covered) scrolls.scrollTop += top - covered;
    else if (box.top + y + height > view.bottom) scrolls.scrollTop += box.top + y + height - view.bottom;
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
