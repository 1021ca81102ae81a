// Images that were selected, and what can be done with them: compare two, label them, save a list.

import { info } from "./api.js";
import { setLabel } from "./collection.js";
import { compare } from "./compare.js";
import { saveCsv } from "./download.js";
import { alertLine, button, make, messageOf, say } from "./dom.js";
import { t } from "./text.js";
import { fileName, labels, thumbnail } from "./tiles.js";

export class Selection {
  /** @param {() => unknown} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    /** @type {Map<number, api.Image>} */
    this.ids = new Map();
    this.last = 0; // the number of the tile that was selected last
    this.told = make("strong", { role: "status" });
    this.problem = alertLine("");
    this.two = button(t("select.compare"), { sign: "compare", on: { click: () => this.compare() } });
    this.label = make("input", { type: "text", "aria-label": t("select.label"), placeholder: t("select.label"), autocomplete: "off", maxlength: 200, required: true });
    this.labelling = make("form", { class: "field", hidden: true }, this.label, make("button", { text: t("select.setLabel") }));
    this.labelling.addEventListener("submit", (event) => { event.preventDefault(); this.setLabel(); });
    info().then(({ write }) => { this.labelling.hidden = !write; }).catch(() => {});
    this.node = make(
      "div", { class: "selection", hidden: true }, this.told, this.two, this.labelling,
      button(t("select.export"), { sign: "download", on: { click: () => this.export() } }),
      button(t("select.clear"), { sign: "close", on: { click: () => this.clear() } }), this.problem,
    );
  }

  get size() {
    return this.ids.size;
  }

  /** @param {api.Image} image */
  has(image) {
    return this.ids.has(image.id);
  }

  /**
   * Select an image, or no more; with `at`, all from the last one to it.
   * @param {api.Image} image
   * @param {number} number
   * @param {((number: number) => api.Image | undefined) | null} at
   */
  toggle(image, number, at) {
    if (at) {
      for (let one = Math.min(number, this.last); one <= Math.max(number, this.last); one += 1) {
        const found = at(one);
        if (found) this.ids.set(found.id, found);
      }
    } else if (!this.ids.delete(image.id)) this.ids.set(image.id, image);
    this.last = number;
    this.show();
  }

  clear() {
    if (!this.size) return false;
    this.ids.clear();
    this.show();
    return true;
  }

  show() {
    this.node.hidden = !this.size;
    this.told.textContent = t("select.count", { count: this.size });
    this.two.disabled = this.size !== 2;
    this.problem.textContent = "";
    this.onChange();
  }

  compare() {
    const [one, other] = this.ids.values();
    compare({ ...one, url: thumbnail(one, 1024) }, [other], 0, { names: [fileName(one), fileName(other)] });
  }

  async setLabel() {
    const label = this.label.value.trim();
    try {
      await setLabel([...this.ids.keys()], label);
      say(t("select.labelled", { count: this.size, label }));
      this.label.value = "";
      this.clear();
      dispatchEvent(new Event("collectionchange"));
    } catch (error) {
      this.problem.textContent = messageOf(error);
    }
  }

  export() {
    const rows = [...this.ids.values()].map((image) => [image.id, image.path, labels(image) || "", image.width || 0, image.height || 0]);
    saveCsv([["id", "path", "label", "width", "height"], ...rows], "lookalike-list.csv");
    say(t("select.saved", { count: rows.length }));
  }
}
