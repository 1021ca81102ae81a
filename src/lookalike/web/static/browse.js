// Browse: the whole collection in an order, with only the tiles in sight in the document; several can be selected. The address
// holds the order, its seed, and the filters.

import { images } from "./collection.js";
import { keys } from "./dialogs.js";
import { button, focused, icon, later, make, messageOf, say, targetOf } from "./dom.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { Squares } from "./layouts.js";
import { Selection } from "./selection.js";
import { t } from "./text.js";
import { tile } from "./tiles.js";
import { showImage } from "./viewer.js";

/** @typedef {import("./address.js").State} State */

const SORTS = /** @type {const} */ (["id", "newest", "path", "taken", "random"]);
/** @type {import("./filters.js").Name[]} */
const FILTERS = ["below", "label", "taken"];
/** @type {Browse | null} */
let page = null;

/** @param {HTMLElement} container @param {State} state */
export async function show(container, state) {
  page ||= new Browse(container, state);
  const shown = page;
  keys(t("page.browse"), {
    i: [t("search.keyEnlarge"), () => shown.open()],
    x: [t("browse.keySelect"), () => shown.pick()],
    r: [t("browse.keyShuffle"), () => shown.shuffle()],
    Escape: [t("select.clear"), () => shown.selection.clear()],
  }, state.signal);
  addEventListener("collectionchange", () => { shown.asked = ""; shown.show(state); }, { signal: state.signal });
  await shown.show(state);
}

class Browse {
  /** @param {HTMLElement} container @param {State} state */
  constructor(container, state) {
    this.state = state;
    this.asked = ""; // what is shown
    this.turn = 0; // counts questions
    this.sort = make("select", { id: "sort" }, ...SORTS.map((value) => make("option", { value, text: t(`sort.${value}`) })));
    this.sort.addEventListener("change", () => (this.sort.value === "random" ? this.shuffle() : this.change({ sort: this.sort.value, seed: null })));
    this.filters = new Filters(FILTERS, (changes) => this.change(changes));
    this.size = make("input", { type: "range", id: "size", min: 90, max: 320, step: 10, value: localStorage.getItem("size") || 190 });
    this.size.addEventListener("input", () => {
      localStorage.setItem("size", this.size.value);
      this.grid.resize(Number(this.size.value));
    });
    this.name = make("input", { type: "search", id: "name", class: "file-name", placeholder: t("browse.name"), "aria-label": t("browse.name"), autocomplete: "off", spellcheck: "false" });
    this.name.addEventListener("input", later(() => this.change({ name: this.name.value.trim() || null }), 250));
    this.told = make("p", { class: "told", role: "status" });
    const other = button(t("browse.shuffle"), { sign: "shuffle", quiet: true, on: { click: () => this.shuffle() } });
    const bar = make(
      "div", { class: "bar stuck" }, this.filters.node, this.name, make("span", { class: "field" }, make("label", { for: "sort", text: t("browse.order") }), this.sort, other),
      make("span", { class: "grow" }), this.told, make("span", { class: "field size" }, make("label", { for: "size", text: t("browse.size") }), this.size),
    );
    /** @type {Grid<api.Image>} */
    this.grid = new Grid({
      says: t("browse.images"), layout: new Squares(Number(this.size.value)), load: (start, top) => this.load(start, top),
      tile: (image, number) => this.tile(image, number),
      onProblem: (error) => { this.told.textContent = messageOf(error); },
    });
    this.selection = new Selection(() => this.mark());
    this.grid.node.addEventListener("click", (event) => this.click(event), { capture: true });
    this.empty = make("p", { class: "nothing" });
    container.append(bar, this.grid.node, this.empty, this.selection.node);
  }

  /** @param {api.Image} image @param {number} number @returns {HTMLElement} */
  tile(image, number) {
    const item = tile(image, { pixels: this.grid.side, open: () => this.open(number) });
    const on = this.selection.has(image);
    item.append(make("button", { type: "button", class: "tick", "aria-label": t("select.one", { name: image.name }), "aria-pressed": String(on) }, icon("check")));
    item.classList.toggle("picked", on);
    return item;
  }

  // While some are selected, a click selects, too; with Shift, all from the last one on.
  /** @param {MouseEvent} event */
  click(event) {
    const item = targetOf(event).closest("li");
    const isPick = Boolean(targetOf(event).closest(".tick"));
    if (!item?.dataset.id || (!isPick && !(this.selection.size && !event.ctrlKey && !event.metaKey))) return;
    event.preventDefault();
    event.stopPropagation();
    this.pick(Number(item.dataset.number), event.shiftKey);
  }

  get number() {
    return Number(/** @type {HTMLElement | null} */ (focused()?.closest(".grid li"))?.dataset.number);
  }

  /** @param {number} number */
  imageAt(number) {
    return this.grid.pages.get(Math.floor(number / 100))?.[number % 100];
  }

  pick(number = this.number, range = false) {
    const image = this.imageAt(number);
    if (!image) return false;
    this.selection.toggle(image, number, range ? (at) => this.imageAt(at) : null);
    return true;
  }

  // Show on the tiles what is selected.
  mark() {
    this.grid.node.classList.toggle("picking", this.selection.size > 0);
    for (const item of this.grid.shown.values()) {
      const on = this.selection.ids.has(Number(item.dataset.id));
      item.classList.toggle("picked", on);
      item.querySelector(".tick")?.setAttribute("aria-pressed", String(on));
    }
  }

  // The images of the page that a tile is on, and which of them it is.
  open(number = this.number) {
    const some = this.grid.pages.get(Math.floor(number / 100));
    if (!some) return false;
    showImage(some, number % 100);
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
    return { sort: this.state.get("sort"), seed: this.state.get("seed"), name: this.state.get("name"), ...this.filters.values(this.state) };
  }

  /** @param {State} state */
  async show(state) {
    this.state = state;
    this.filters.show(state.all());
    if (this.name !== focused()) this.name.value = state.get("name") || "";
    const sort = state.get("sort") || "id";
    this.sort.value = SORTS.some((one) => one === sort) ? sort : "id";
    const asked = JSON.stringify(this.values());
    const turn = ++this.turn; // an answer may come after that of a later question
    if (asked === this.asked) {
      this.grid.measure();
      return;
    }
    const { items: some, total } = await images({ ...this.values(), limit: 100 }, state.signal);
    if (state.signal.aborted || turn !== this.turn) return;
    this.asked = asked;
    this.grid.reset(total, some);
    const shown = Math.min(total, this.grid.most);
    this.told.textContent = shown < total ? t("browse.first", { count: shown, total }) : t("shell.images", { count: total });
    this.empty.hidden = total > 0;
    this.empty.textContent = t([...FILTERS, "name"].some((name) => state.get(name)) ? "search.noneFiltered" : "browse.empty");
    say(this.told.textContent);
  }

  /** @param {number} start @param {number} top */
  async load(start, top) {
    return (await images({ ...this.values(), start, limit: top })).items;
  }
}
