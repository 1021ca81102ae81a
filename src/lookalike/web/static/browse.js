// Browse: the whole collection in an order, with as many tiles in the document as are in sight. The address holds the
// order, its seed, and the filters.

import { ask } from "./api.js";
import { keys } from "./dialogs.js";
import { button, count, make, say } from "./dom.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { action, nameLine, tile } from "./tiles.js";
import { showImage } from "./viewer.js";

const SORTS = { id: "as indexed", newest: "newest first", name: "by name", random: "in random order" };
let page = null;

export async function show(container, state) {
  page ||= new Page(container);
  keys("Browse", {
    i: ["show the image large (the tile in focus)", () => page.open()],
    r: ["another random order", () => page.shuffle()],
  }, state.signal);
  await page.show(state);
}

class Page {
  constructor(container) {
    this.sort = make("select", { id: "sort" }, ...Object.entries(SORTS).map(([value, text]) => make("option", { value, text })));
    this.sort.addEventListener("change", () => (this.sort.value === "random" ? this.shuffle() : this.change({ sort: this.sort.value, seed: null })));
    this.filters = new Filters(["label", "below"], (changes) => this.change(changes));
    this.size = make("input", { type: "range", id: "size", min: 90, max: 320, step: 10, value: localStorage.getItem("size") || 160 });
    this.size.addEventListener("input", () => {
      localStorage.setItem("size", this.size.value);
      this.grid.resize(Number(this.size.value));
    });
    this.told = make("p", { class: "told", role: "status" });
    const other = button("Shuffle", { sign: "shuffle", on: { click: () => this.shuffle() } });
    const bar = make(
      "div", { class: "bar stuck" }, make("span", { class: "field" }, make("label", { for: "sort", text: "Order" }), this.sort, other),
      this.filters.node, make("span", { class: "field size" }, make("label", { for: "size", text: "Size" }), this.size),
      make("span", { class: "grow" }), this.told,
    );
    this.grid = new Grid({
      says: "Images", cell: Number(this.size.value), load: (start, top) => this.load(start, top),
      tile: (image, number) => this.tile(image, number),
      onProblem: (error) => { this.told.textContent = error.message; },
    });
    this.empty = make("p", { class: "nothing" });
    container.append(bar, this.grid.node, this.empty);
  }

  tile(image, number) {
    return tile(image, {
      lines: [nameLine(image)], pixels: this.grid.side, actions: [action("Show large", "info", () => this.open(number))],
    });
  }

  // The images of the page that a tile is on, and which of them it is.
  open(number = Number(document.activeElement.closest(".grid li")?.dataset.number)) {
    const images = this.grid.pages.get(Math.floor(number / 100));
    if (!images) return false;
    showImage(images, number % 100);
    return true;
  }

  shuffle() {
    this.change({ sort: "random", seed: Math.floor(Math.random() * 2 ** 32) });
  }

  change(values) {
    this.state.set(values, { push: true });
    scrollTo(0, 0);
    return this.show(this.state);
  }

  values() {
    const { sort = null, seed = null, label = null, below = null } = this.state.all();
    return { sort, seed, label, below };
  }

  async show(state) {
    this.state = state;
    this.filters.show(state.all());
    this.sort.value = state.get("sort", "id") in SORTS ? state.get("sort", "id") : "id";
    const asked = JSON.stringify(this.values());
    const turn = this.turn = (this.turn || 0) + 1; // an answer may come after that of a later question
    if (asked === this.asked) return this.grid.measure();
    const { images, total } = await ask("/api/images", { values: { ...this.values(), top: 100 }, signal: state.signal });
    if (state.signal.aborted || turn !== this.turn) return null;
    this.asked = asked;
    this.grid.reset(total, images);
    this.filters.suggest(images);
    const shown = Math.min(total, this.grid.most);
    const words = shown < total ? `The first ${count(shown, "image")} of ${count(total, "image")}` : count(total, "image");
    this.told.replaceChildren(make("b", { text: words }));
    this.empty.hidden = total > 0;
    this.empty.textContent = this.values().label || this.values().below ? "No image passes these filters." : "The collection is empty. "
      + "Fill it with: lookalike index IMAGES --db DB";
    say(words);
    return null;
  }

  async load(start, top) {
    const { images } = await ask("/api/images", { values: { ...this.values(), start, top } });
    this.filters.suggest(images);
    return images;
  }
}
