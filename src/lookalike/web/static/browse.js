// Browse: the whole collection in an order, with only the tiles in sight in the document. The address holds the order,
// its seed, and the filters.

import { ask } from "./api.js";
import { keys } from "./dialogs.js";
import { button, count, focused, make, messageOf, say } from "./dom.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { action, EMPTY, nameLine, tile } from "./tiles.js";
import { showImage } from "./viewer.js";

/** @typedef {import("./address.js").State} State */

/** @type {Record<string, string>} */
const SORTS = { id: "as indexed", newest: "newest first", name: "by name", random: "random" };
/** @type {Browse | null} */
let page = null;

/** @param {HTMLElement} container @param {State} state */
export async function show(container, state) {
  page ||= new Browse(container, state);
  const shown = page;
  keys("Browse", {
    i: ["enlarge the focused image", () => shown.open()],
    r: ["shuffle again", () => shown.shuffle()],
  }, state.signal);
  await shown.show(state);
}

class Browse {
  /** @param {HTMLElement} container @param {State} state */
  constructor(container, state) {
    this.state = state;
    this.asked = ""; // what is shown
    this.turn = 0; // counts questions
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
      onProblem: (error) => { this.told.textContent = messageOf(error); },
    });
    this.empty = make("p", { class: "nothing" });
    container.append(bar, this.grid.node, this.empty);
  }

  /** @param {api.Image} image @param {number} number */
  tile(image, number) {
    return tile(image, {
      lines: [nameLine(image)], pixels: this.grid.side, actions: [action("Enlarge", "info", () => this.open(number))],
    });
  }

  // The images of the page that a tile is on, and which of them it is.
  open(number = Number(/** @type {HTMLElement | null} */ (focused()?.closest(".grid li"))?.dataset.number)) {
    const images = this.grid.pages.get(Math.floor(number / 100));
    if (!images) return false;
    showImage(images, number % 100);
    return true;
  }

  shuffle() {
    this.change({ sort: "random", seed: Math.floor(Math.random() * 2 ** 32) });
  }

  /** @param {Values} values */
  change(values) {
    this.state.set(values, { push: true });
    scrollTo(0, 0);
    return this.show(this.state);
  }

  values() {
    const { sort = null, seed = null, label = null, below = null } = this.state.all();
    return { sort, seed, label, below };
  }

  /** @param {State} state */
  async show(state) {
    this.state = state;
    this.filters.show(state.all());
    const sort = state.get("sort") || "id";
    this.sort.value = sort in SORTS ? sort : "id";
    const asked = JSON.stringify(this.values());
    const turn = ++this.turn; // an answer may come after that of a later question
    if (asked === this.asked) {
      this.grid.measure();
      return;
    }
    /** @type {api.Page} */
    const { images, total } = await ask("/api/images", { values: { ...this.values(), top: 100 }, signal: state.signal });
    if (state.signal.aborted || turn !== this.turn) return;
    this.asked = asked;
    this.grid.reset(total, images);
    this.filters.suggest(images);
    const shown = Math.min(total, this.grid.most);
    const words = shown < total ? `First ${count(shown, "image")} of ${count(total, "image")}` : count(total, "image");
    this.told.replaceChildren(make("b", { text: words }));
    this.empty.hidden = total > 0;
    this.empty.textContent = this.values().label || this.values().below ? "No image matches these filters." : EMPTY;
    say(words);
  }

  /** @param {number} start @param {number} top */
  async load(start, top) {
    /** @type {api.Page} */
    const { images } = await ask("/api/images", { values: { ...this.values(), start, top } });
    this.filters.suggest(images);
    return images;
  }
}
