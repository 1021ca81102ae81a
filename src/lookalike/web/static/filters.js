// Fields that filter images: label, folder (`below`), and the date since which they are in the collection.

import { ask, info } from "./api.js";
import { make } from "./dom.js";

/** @typedef {"label" | "below" | "since"} Name */

const MOST = 500; // names that are suggested
/** @type {Record<Name, { title: string, type: string, placeholder?: string }>} */
const FIELDS = {
  label: { title: "Label", type: "text", placeholder: "any" },
  below: { title: "Folder", type: "text", placeholder: "any" },
  since: { title: "Added since", type: "date" },
};
let numbered = 0;

export class Filters {
  /**
   * Fields of these names.
   * @param {Name[]} names
   * @param {(change: Values) => unknown} onChange called with {name: value or null} when a person has changed one
   */
  constructor(names, onChange) {
    /** @type {Partial<Record<Name, HTMLInputElement>>} */
    this.fields = {};
    /** @type {Partial<Record<Name, HTMLDataListElement>>} */
    this.lists = {};
    /** @type {Set<string>} */
    this.folders = new Set();
    this.node = make("div", { class: "filters", role: "group", "aria-label": "Filters" });
    for (const name of names) this.node.append(this.field(name, onChange));
    this.fill().catch(() => {});
  }

  /** @param {Name} name @param {(change: Values) => unknown} onChange */
  field(name, onChange) {
    numbered += 1;
    const id = `filter-${name}-${numbered}`;
    const { title, ...given } = FIELDS[name];
    const list = given.type === "text" ? make("datalist", { id: `${id}-list` }) : null;
    const input = make("input", { id, ...given, autocomplete: "off", spellcheck: "false", list: list?.id });
    input.addEventListener("change", () => onChange({ [name]: input.value.trim() || null }));
    this.fields[name] = input;
    if (list) this.lists[name] = list;
    return make("span", { class: `field ${name}` }, make("label", { for: id, text: title }), input, list);
  }

  /**
   * Put values of the address into the fields.
   * @param {Record<string, string | undefined>} values
   */
  show(values) {
    for (const [name, input] of Object.entries(this.fields)) {
      const value = values[name] || "";
      input.value = input.type === "date" ? value.slice(0, 10) : value;
    }
  }

  /**
   * Suggest the folders of images.
   * @param {api.Image[]} images
   */
  suggest(images) {
    const before = this.folders.size;
    for (const { path } of images) {
      const folder = path.slice(0, Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")));
      if (folder && this.folders.size < MOST) this.folders.add(folder);
    }
    if (this.folders.size !== before) this.options("below", [...this.folders].sort());
  }

  /** @param {Name} name @param {string[]} values */
  options(name, values) {
    this.lists[name]?.replaceChildren(...values.slice(0, MOST).map((value) => make("option", { value })));
  }

  async fill() {
    const { roots } = await info();
    for (const root of roots) this.folders.add(root);
    this.options("below", [...this.folders]);
    /** @type {api.Labels} */
    const { labels } = await ask("/api/labels");
    const names = Object.keys(labels).sort((a, b) => labels[b] - labels[a]);
    this.options("label", names);
    const field = this.fields.label?.parentElement;
    if (field) field.hidden = !names.length && !this.fields.label?.value;
  }
}
