// Map: each image is a point, and similar images are close together. The address holds the middle (x, y) and zoom (z).

import { wait } from "./api.js";
import { details, imagesOf } from "./collection.js";
import { keys } from "./dialogs.js";
import { button, later, make, messageOf, say } from "./dom.js";
import { saveCsv } from "./download.js";
import { Grid } from "./grid.js";
import { Squares } from "./layouts.js";
import { COLOURS, MapView } from "./mapview.js";
import { Points } from "./points.js";
import { t } from "./text.js";
import { fileName, labels, thumbnail, tile } from "./tiles.js";
import { showImage } from "./viewer.js";

/** @typedef {import("./address.js").State} State */
/** @typedef {import("./mapview.js").Common} Common */

const STEP = 80; // pixels that an arrow key moves
const CLOSER = 1.5;
const AT_ONCE = 500; // images per request, for a list
/** @type {MapPage | null} */
let page = null;

/** @param {HTMLElement} container @param {State} state */
export async function show(container, state) {
  page ||= new MapPage(container, state);
  page.state = state;
  await page.show(state);
}

class MapPage {
  /** @param {HTMLElement} container @param {State} state */
  constructor(container, state) {
    this.state = state;
    /** @type {{ view: MapView, points: Points } | null} */
    this.loaded = null;
    this.naming = 0;
    this.working = make("div", { class: "working", role: "status" });
    this.canvas = make("canvas", { tabindex: "0", role: "application", "aria-describedby": "map-help" });
    this.card = make("div", { class: "card", hidden: true });
    this.legend = make("ul", { class: "legend", "aria-label": t("map.colours") });
    this.told = make("p", { class: "told" });
    this.label = make("select", { id: "map-label" });
    this.label.addEventListener("change", () => this.highlight(Number(this.label.value)));
    this.lasso = button(t("map.lasso"), { sign: "lasso", "aria-pressed": "false", title: t("map.lassoTitle"),
      on: { click: () => this.toggle() } });
    this.list = new List(() => this.choose([]));
    this.help = make("p", { id: "map-help", class: "unseen", text: t("map.help") });
    this.stage = make(
      "div", { class: "stage-map", hidden: true },
      make("div", { class: "bar" }, this.lasso, button(t("map.list"), { on: { click: () => this.listSight() } }),
        make("span", { class: "field" }, make("label", { for: "map-label", text: t("fact.label") }), this.label), make("span", { class: "grow" }), this.told),
      make("div", { class: "map-and-list" }, make("div", { class: "plane" }, this.canvas, this.card, this.legend, this.zooms()), this.list.node),
      this.help,
    );
    container.append(this.working, this.stage);
    this.write = later(() => this.address(), 250);
  }

  zooms() {
    /** @param {string} name @param {import("./dom.js").Sign} sign @param {() => unknown} run */
    const one = (name, sign, run) => button(name, { sign, quiet: true, on: { click: run } });
    return make(
      "div", { class: "zooms" }, one(t("zoom.in"), "plus", () => this.view.zoom(CLOSER)),
      one(t("zoom.out"), "minus", () => this.view.zoom(1 / CLOSER)), one(t("map.all"), "fit", () => this.view.fit()),
    );
  }

  // The map on its canvas; there is one once `load` has ended.
  get view() {
    return /** @type {{ view: MapView }} */ (this.loaded).view;
  }

  get points() {
    return /** @type {{ points: Points }} */ (this.loaded).points;
  }

  /** @param {State} state */
  async show(state) {
    if (!this.loaded) await this.load(state);
    if (state.signal.aborted || !this.loaded) return;
    this.keys(state.signal);
    const [x, y, zoom] = ["x", "y", "z"].map((name) => Number(state.get(name) ?? "NaN"));
    if ([x, y, zoom].every(Number.isFinite)) this.view.look({ x, y, zoom });
    this.highlight(this.points.labels.indexOf(state.get("label") || ""));
    this.view.measure();
    const recolour = () => this.view.recolour();
    addEventListener("themechange", recolour, { signal: state.signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour, { signal: state.signal });
    recolour();
  }

  /** @param {State} state */
  async load(state) {
    const bar = make("progress", { "aria-label": t("map.drawing") });
    const words = make("p", { text: t("map.placing") });
    this.working.replaceChildren(words, bar);
    /** @type {api.Map} */
    const answer = await wait("/api/v1/map", {
      signal: state.signal,
      onProgress: (done, total) => { if (total) [bar.max, bar.value] = [total, done]; },
    });
    this.working.replaceChildren();
    if (!answer.ids.length) {
      this.working.replaceChildren(make("p", { text: t("browse.empty") }));
      return;
    }
    this.stage.hidden = false;
    this.fill(answer);
  }

  /** @param {api.Map} answer */
  fill(answer) {
    const points = new Points(answer);
    const common = points.commonest(COLOURS.length);
    const view = new MapView(this.canvas, points, common);
    this.loaded = { view, points };
    const on = (/** @type {string} */ name, /** @type {(detail: any) => unknown} */ run) => {
      view.addEventListener(name, (event) => run(/** @type {CustomEvent} */ (event).detail));
    };
    on("hover", (at) => this.hover(at));
    on("pick", (at) => this.pick(at));
    on("view", () => this.write());
    on("lasso", async (line) => this.choose(await points.inside(line)));
    const { total, ids: { length: shown } } = answer;
    const words = total > shown ? t("map.some", { shown, count: total }) : t("shell.images", { count: total });
    this.told.textContent = answer.fresh ? words : `${words}; ${t("map.stale")}`;
    this.canvas.setAttribute("aria-label", t("map.of", { count: shown }));
    this.legend.append(...common.map((one, at) => this.swatch(one, COLOURS[at])));
    this.legend.hidden = !common.length;
    const names = answer.labels.map((name, at) => make("option", { value: at, text: name }));
    this.label.replaceChildren(make("option", { value: -1, text: t("map.anyLabel") }), ...names);
    const field = this.label.parentElement;
    if (field) field.hidden = !names.length;
  }

  /** @param {Common} common @param {string} colour */
  swatch({ name, label, count: many }, colour) {
    const one = button(name, { title: `${name}: ${t("shell.images", { count: many })}`, "aria-pressed": "false", data: { label } });
    one.prepend(make("span", { class: "swatch", style: { background: colour } }));
    one.addEventListener("click", () => this.highlight(this.view.only === label ? -1 : label));
    return make("li", {}, one);
  }

  /**
   * Colour only the points of one label; −1: of all.
   * @param {number} label
   */
  highlight(label) {
    this.view.only = label;
    this.label.value = String(label);
    this.state.set({ label: this.points.labels[label] ?? null });
    for (const one of this.legend.querySelectorAll("button")) one.setAttribute("aria-pressed", String(Number(one.dataset.label) === label));
    this.view.soon();
  }

  /** @param {AbortSignal} signal */
  keys(signal) {
    const view = this.view;
    /** @type {Record<string, Point>} */
    const moves = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    this.canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const by = moves[event.key];
      if (by) view.pan(...by);
      else if (event.key === "Enter") this.listSight();
      else if (event.key === "Escape") this.choose([]);
      else return;
      event.preventDefault();
    }, { signal });
    keys(t("page.map"), {
      "+": [t("map.keyIn"), () => view.zoom(CLOSER)],
      "-": [t("map.keyOut"), () => view.zoom(1 / CLOSER)],
      0: [t("map.keyAll"), () => view.fit()],
      l: [t("map.keyLasso"), () => this.toggle()],
      "←↑→↓": [t("map.keyMove")],
      Enter: [t("map.keyList")],
    }, signal);
  }

  toggle(on = !this.view.lassoing) {
    this.view.lassoing = on;
    this.lasso.setAttribute("aria-pressed", String(on));
    this.canvas.classList.toggle("lassoing", on);
  }

  listSight() {
    this.choose(this.view.inSight());
  }

  /** @param {number[]} chosen */
  choose(chosen) {
    this.toggle(false);
    this.view.select(chosen);
    this.list.show(chosen.map((at) => this.points.ids[at]));
    say(chosen.length ? t("map.listed", { count: chosen.length }) : t("map.closed"));
  }

  /** @param {number} at a point, or −1 */
  hover(at) {
    this.card.hidden = at < 0;
    this.canvas.classList.toggle("over-point", at >= 0);
    if (at < 0) return;
    const id = this.points.ids[at];
    const label = this.points.labels[this.points.label[at]];
    const name = make("p", { class: "name", text: label || t("map.image", { id: String(id) }) });
    this.card.replaceChildren(make("img", { src: thumbnail(id, 256), alt: "" }), name);
    this.name(id, at, name);
    const x = this.points.x[at] * this.view.scale + this.view.left, y = this.points.y[at] * this.view.scale + this.view.top;
    this.card.style.left = `${x + (x > this.view.width / 2 ? -214 : 18)}px`;
    this.card.style.top = `${Math.max(8, Math.min(this.view.height - 220, y - 90))}px`;
  }

  /**
   * Name an image once a pointer has stayed on it.
   * @param {number} id
   * @param {number} at its point
   * @param {HTMLElement} line
   */
  name(id, at, line) {
    clearTimeout(this.naming);
    this.naming = setTimeout(async () => {
      /** @type {api.Details | null} */
      const image = await details(id).catch(() => null);
      if (!image || this.view.hover !== at) return;
      line.textContent = fileName(image) + (labels(image) ? ` · ${labels(image)}` : "");
    }, 80);
  }

  /** @param {number} at */
  async pick(at) {
    const image = await details(this.points.ids[at], this.state.signal);
    showImage([image]);
  }

  address() {
    if (!this.loaded?.view.width) return;
    const { x, y, zoom } = this.view.centre();
    const whole = Math.abs(zoom - 1) < 0.001 && Math.abs(x - 5000) < 5 && Math.abs(y - 5000) < 5;
    this.state.set(whole ? { x: null, y: null, z: null } : { x: Math.round(x), y: Math.round(y), z: zoom.toPrecision(4) });
  }
}

// The images that were chosen.
class List {
  /** @param {() => unknown} clear */
  constructor(clear) {
    /** @type {number[]} */
    this.ids = [];
    this.heading = make("h2", { tabindex: "-1" });
    this.scroller = make("div", { class: "scroller", tabindex: "-1" });
    this.wide = button(t("map.wide"), { sign: "fit", quiet: true, "aria-pressed": "false", on: { click: () => this.widen() } });
    this.save = button("CSV", { sign: "download", title: t("map.csv"), on: { click: () => this.export() } });
    const close = button(t("map.close"), { sign: "close", quiet: true, class: "plain", on: { click: clear } });
    this.node = make(
      "aside", { class: "listed", "aria-label": t("map.images"), hidden: true },
      make("div", { class: "bar" }, this.heading, make("span", { class: "grow" }), this.save, this.wide, close), this.scroller,
    );
    this.grid = new Grid({
      says: t("map.images"), layout: new Squares(110), scroller: this.scroller, load: (start, top) => this.load(this.ids.slice(start, start + top)),
      tile: (image) => tile(image, { pixels: 160, open: () => showImage([image]) }),
    });
    this.scroller.append(this.grid.node);
  }

  /** @param {number[]} ids */
  show(ids) {
    this.ids = ids;
    this.node.hidden = !ids.length;
    this.heading.textContent = t("shell.images", { count: ids.length });
    this.scroller.scrollTop = 0;
    this.grid.reset(ids.length);
  }

  widen() {
    const wide = this.node.classList.toggle("wide");
    this.wide.setAttribute("aria-pressed", String(wide));
    this.grid.resize(wide ? 150 : 110);
  }

  /** @param {number[]} ids @returns {Promise<api.Image[]>} */
  async load(ids) {
    return imagesOf(ids);
  }

  async export() {
    /** @type {(string | number)[][]} */
    const lines = [["id", "path"]];
    this.save.disabled = true;
    try {
      for (let at = 0; at < this.ids.length; at += AT_ONCE) {
        const images = await this.load(this.ids.slice(at, at + AT_ONCE));
        for (const { id, path } of images) lines.push([id, path]);
      }
    } catch (error) {
      this.heading.textContent = messageOf(error);
      return;
    } finally {
      this.save.disabled = false;
    }
    saveCsv(lines, "lookalike-list.csv");
    say(t("select.saved", { count: this.ids.length }));
  }
}
