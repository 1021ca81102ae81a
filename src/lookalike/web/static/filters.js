// Fields that let only some images pass: label, folder (`below`), and since when they are indexed.

import { ask, info } from "./api.js";
import { make } from "./dom.js";

const MOST = 500; // names that are suggested
const FIELDS = {
  label: { title: "Label", type: "text", placeholder: "any" },
  below: { title: "Folder", type: "text", placeholder: "any" },
  since: { title: "Since", type: "date" },
};
let numbered = 0;

// Fields of these names; `onChange({name: value or null})` when a person has changed one.
export class Filters {
  constructor(names, onChange) {
    this.fields = {};
    this.lists = {};
    this.folders = new Set();
    this.node = make("div", { class: "filters", role: "group", "aria-label": "Filters" });
    for (const name of names) this.node.append(this.field(name, onChange));
    this.fill().catch(() => {});
  }

  field(name, onChange) {
    const id = `filter-${name}-${(numbered += 1)}`;
    const { title, ...given } = FIELDS[name];
    const list = given.type === "text" ? make("datalist", { id: `${id}-list` }) : null;
    const input = make("input", { id, ...given, autocomplete: "off", spellcheck: "false", list: list && list.id });
    input.addEventListener("change", () => onChange({ [name]: input.value.trim() || null }));
    this.fields[name] = input;
    this.lists[name] = list;
    return make("span", { class: `field ${name}` }, make("label", { for: id, text: title }), input, list);
  }

  // Put values of the address into the fields.
  show(values) {
    for (const [name, input] of Object.entries(this.fields)) {
      const value = values[name] || "";
      input.value = input.type === "date" ? value.slice(0, 10) : value;
    }
  }

  // Suggest the folders of images.
  suggest(images) {
    const before = this.folders.size;
    for (const { path } of images) {
      const folder = path.slice(0, Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")));
      if (folder && this.folders.size < MOST) this.folders.add(folder);
    }
    if (this.lists.below && this.folders.size !== before) this.options("below", [...this.folders].sort());
  }

  options(name, values) {
    this.lists[name].replaceChildren(...values.slice(0, MOST).map((value) => make("option", { value })));
  }

  async fill() {
    const { roots } = await info();
    for (const root of roots) this.folders.add(root);
    if (this.lists.below) this.options("below", [...this.folders]);
    const { labels } = await ask("/api/labels");
    const names = Object.keys(labels).sort((a, b) => labels[b] - labels[a]);
    if (this.lists.label) this.options("label", names);
    if (this.fields.label) this.fields.label.closest(".field").hidden = !names.length && !this.fields.label.value;
  }
}
