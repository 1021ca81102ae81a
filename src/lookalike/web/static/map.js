// Map: each image a point, near codes together. The address holds the middle (x, y) and the zoom (z).

import { ask, wait } from "./api.js";
import { keys } from "./dialogs.js";
import { button, count, later, make, number, say } from "./dom.js";
import { Grid } from "./grid.js";
import { COLOURS, MapView } from "./mapview.js";
import { Points } from "./points.js";
import { fileName, labels, nameLine, thumbnail, tile } from "./tiles.js";
import { showImage } from "./viewer.js";

const STEP = 80; // pixels that an arrow key moves
const CLOSER = 1.5;
const AT_ONCE = 500; // images that are asked for, for a list
let page = null;

export async function show(container, state) {
  page ||= new Page(container);
  page.state = state;
  await page.show(state);
}

class Page {
  constructor(container) {
    this.working = make("div", { class: "working", role: "status" });
    this.canvas = make("canvas", { tabindex: "0", role: "application", "aria-describedby": "map-help" });
    this.card = make("div", { class: "card", hidden: true });
    this.legend = make("ul", { class: "legend", "aria-label": "Colours" });
    this.told = make("p", { class: "told" });
    this.label = make("select", { id: "map-label" });
    this.label.addEventListener("change", () => this.highlight(Number(this.label.value)));
    this.lasso = button("Lasso", { sign: "lasso", "aria-pressed": "false", title: "Draw around images to list them (or hold Shift)",
      on: { click: () => this.toggle() } });
    this.list = new List(() => this.choose([]));
    this.help = make("p", { id: "map-help", class: "unseen", text: "Arrow keys move, plus and minus zoom, 0 shows all, Enter lists "
      + "the images in sight, Escape ends the list." });
    this.stage = make(
      "div", { class: "stage-map", hidden: true },
      make("div", { class: "bar" }, this.lasso, button("List what is in sight", { on: { click: () => this.listSight() } }),
        make("span", { class: "field" }, make("label", { for: "map-label", text: "Label" }), this.label), make("span", { class: "grow" }), this.told),
      make("div", { class: "map-and-list" }, make("div", { class: "plane" }, this.canvas, this.card, this.legend, this.zooms()), this.list.node),
      this.help,
    );
    container.append(this.working, this.stage);
    this.write = later(() => this.address(), 250);
  }

  zooms() {
    const one = (name, sign, run) => button(name, { sign, quiet: true, on: { click: run } });
    return make(
      "div", { class: "zooms" }, one("Closer", "plus", () => this.view.zoom(CLOSER)),
      one("Further", "minus", () => this.view.zoom(1 / CLOSER)), one("Show all", "fit", () => this.view.fit()),
    );
  }

  async show(state) {
    if (!this.view) await this.load(state);
    if (state.signal.aborted) return;
    this.keys(state.signal);
    const [x, y, zoom] = ["x", "y", "z"].map((name) => Number(state.get(name, "NaN")));
    if ([x, y, zoom].every(Number.isFinite)) this.view.look({ x, y, zoom });
    this.view.measure();
    const recolour = () => this.view.recolour();
    addEventListener("themechange", recolour, { signal: state.signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour, { signal: state.signal });
    recolour();
  }

  async load(state) {
    const bar = make("progress", { "aria-label": "Making the map" });
    const words = make("p", { text: "Placing the images: like codes together. This is done once for a collection." });
    this.working.replaceChildren(words, bar);
    const answer = await wait("/api/map", {
      signal: state.signal,
      onProgress: (done, total) => { if (total) [bar.max, bar.value] = [total, done]; },
    });
    this.working.replaceChildren();
    if (!answer.ids.length) {
      this.working.replaceChildren(make("p", { text: "The collection is empty. Fill it with: lookalike index IMAGES --db DB" }));
      throw new DOMException("nothing to show", "AbortError");
    }
    this.stage.hidden = false;
    this.fill(answer);
  }

  fill(answer) {
    this.points = new Points(answer);
    const common = this.points.commonest(COLOURS.length);
    this.view = new MapView(this.canvas, this.points, common);
    this.view.addEventListener("hover", (event) => this.hover(event.detail));
    this.view.addEventListener("pick", (event) => this.pick(event.detail));
    this.view.addEventListener("view", () => this.write());
    this.view.addEventListener("lasso", async (event) => this.choose(await this.points.inside(event.detail)));
    const some = answer.total > answer.ids.length ? `${number(answer.ids.length)} of ` : "";
    const old = answer.fresh ? "" : "; newer images are being placed";
    this.told.textContent = `${some}${count(answer.total, "image")}${old}`;
    this.canvas.setAttribute("aria-label", `Map of ${count(answer.ids.length, "image")}`);
    this.legend.append(...common.map(({ name, label, count: many }, at) => this.swatch(name, label, many, COLOURS[at])));
    this.legend.hidden = !common.length;
    const names = answer.labels.map((name, at) => make("option", { value: at, text: name }));
    this.label.replaceChildren(make("option", { value: -1, text: "all" }), ...names);
    this.label.closest(".field").hidden = !names.length;
  }

  swatch(name, label, many, colour) {
    const one = button(name, { title: `${name}: ${count(many, "image")}`, "aria-pressed": "false", data: { label } });
    one.prepend(make("span", { class: "swatch", style: { background: colour } }));
    one.addEventListener("click", () => this.highlight(this.view.only === label ? -1 : label));
    return make("li", {}, one);
  }

  // Show the points of one label in colour alone; −1: of all.
  highlight(label) {
    this.view.only = label;
    this.label.value = label;
    for (const one of this.legend.querySelectorAll("button")) one.setAttribute("aria-pressed", String(Number(one.dataset.label) === label));
    this.view.soon();
  }

  keys(signal) {
    const view = this.view;
    const moves = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    const onMap = (run) => () => (document.activeElement === this.canvas ? run() : false);
    this.canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const by = moves[event.key];
      if (by) view.pan(...by);
      else if (event.key === "Enter") this.listSight();
      else if (event.key === "Escape") this.choose([]);
      else return;
      event.preventDefault();
    }, { signal });
    keys("Map", {
      "+": ["closer", () => view.zoom(CLOSER)],
      "-": ["further", () => view.zoom(1 / CLOSER)],
      0: ["show all", () => view.fit()],
      l: ["lasso on or off", () => this.toggle()],
      "←↑→↓": ["move (the map in focus)"],
      Enter: ["list what is in sight (the map in focus)", onMap(() => false)],
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

  choose(chosen) {
    this.toggle(false);
    this.view.select(chosen);
    this.list.show(chosen.map((at) => this.points.ids[at]));
    say(chosen.length ? `${count(chosen.length, "image")} listed` : "No list");
  }

  hover(at) {
    this.card.hidden = at < 0;
    this.canvas.classList.toggle("over-point", at >= 0);
    if (at < 0) return;
    const id = this.points.ids[at];
    const label = this.points.labels[this.points.label[at]];
    this.card.replaceChildren(make("img", { src: thumbnail(id, 256), alt: "" }), make("p", { class: "name", text: label || `image ${id}` }));
    this.name(id, at);
    const x = this.points.x[at] * this.view.scale + this.view.left, y = this.points.y[at] * this.view.scale + this.view.top;
    this.card.style.left = `${x + (x > this.view.width / 2 ? -214 : 18)}px`;
    this.card.style.top = `${Math.max(8, Math.min(this.view.height - 220, y - 90))}px`;
  }

  // The name of an image, once a pointer has stayed on it.
  name(id, at) {
    clearTimeout(this.naming);
    this.naming = setTimeout(async () => {
      const image = await ask(`/api/images/${id}`).catch(() => null);
      if (!image || this.view.hover !== at) return;
      this.card.lastChild.textContent = fileName(image) + (labels(image) ? ` · ${labels(image)}` : "");
    }, 80);
  }

  async pick(at) {
    const image = await ask(`/api/images/${this.points.ids[at]}`, { signal: this.state.signal });
    showImage([image]);
  }

  address() {
    if (!this.view.width) return;
    const { x, y, zoom } = this.view.centre();
    const whole = Math.abs(zoom - 1) < 0.001 && Math.abs(x - 5000) < 5 && Math.abs(y - 5000) < 5;
    this.state.set(whole ? { x: null, y: null, z: null } : { x: Math.round(x), y: Math.round(y), z: zoom.toPrecision(4) });
  }
}

// The images that were chosen.
class List {
  constructor(clear) {
    this.heading = make("h2", { tabindex: "-1" });
    this.scroller = make("div", { class: "scroller", tabindex: "-1" });
    this.wide = button("Large", { sign: "fit", quiet: true, "aria-pressed": "false", on: { click: () => this.widen() } });
    this.save = button("CSV", { sign: "download", title: "Save the paths as a CSV file", on: { click: () => this.export() } });
    const close = button("End the list", { sign: "close", quiet: true, class: "plain", on: { click: clear } });
    this.node = make(
      "aside", { class: "listed", "aria-label": "Listed images", hidden: true },
      make("div", { class: "bar" }, this.heading, make("span", { class: "grow" }), this.save, this.wide, close), this.scroller,
    );
    this.grid = new Grid({
      says: "Listed images", cell: 110, scroller: this.scroller, load: (start, top) => this.load(this.ids.slice(start, start + top)),
      tile: (image) => tile(image, { lines: [nameLine(image)], pixels: this.grid.side }),
    });
    this.scroller.append(this.grid.node);
  }

  show(ids) {
    this.ids = ids;
    this.node.hidden = !ids.length;
    this.heading.textContent = count(ids.length, "image");
    this.scroller.scrollTop = 0;
    this.grid.reset(ids.length);
  }

  widen() {
    const wide = this.node.classList.toggle("wide");
    this.wide.setAttribute("aria-pressed", String(wide));
    this.grid.resize(wide ? 150 : 110);
  }

  async load(ids) {
    return (await ask("/api/images", { values: { ids: ids.join(","), top: ids.length } })).images;
  }

  async export() {
    const lines = ["id,path"];
    this.save.disabled = true;
    try {
      for (let at = 0; at < this.ids.length; at += AT_ONCE) {
        const images = await this.load(this.ids.slice(at, at + AT_ONCE));
        for (const { id, path } of images) lines.push(`${id},"${path.replaceAll('"', '""')}"`);
      }
    } catch (error) {
      this.heading.textContent = error.message;
      return;
    } finally {
      this.save.disabled = false;
    }
    const url = URL.createObjectURL(new Blob([`${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
    make("a", { href: url, download: "lookalike-list.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    say(`${count(this.ids.length, "path")} saved`);
  }
}
