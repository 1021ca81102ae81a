// Filters behind one button: a folder, a label, when the picture was taken. What is set is a chip that can be removed.

import { folders, labelCounts } from "./collection.js";
import { openDialog } from "./dialogs.js";
import { button, icon, make } from "./dom.js";
import { number, t } from "./text.js";
import { baseName } from "./tiles.js";

/** @typedef {"below" | "label" | "taken"} Name */
/** @typedef {{ value: string, text: string, depth: number, images?: number }} Entry */

/** @type {Name[]} */
export const NAMES = ["below", "label", "taken"];
const MOST = 300; // entries of a list that are shown at once

export class Filters {
  /**
   * @param {Name[]} names
   * @param {(change: Values) => unknown} onChange called with {name: value or null} when a person has changed something
   */
  constructor(names, onChange) {
    this.names = names;
    this.onChange = onChange;
    /** @type {Partial<Record<Name, string>>} */
    this.set = {};
    this.open = button(t("filter.open"), { sign: "filter", "aria-haspopup": "dialog", on: { click: () => this.choose() } });
    this.chips = make("span", { class: "chips" });
    this.node = make("div", { class: "filters", role: "group", "aria-label": t("filter.open") }, this.open, this.chips);
  }

  /**
   * What the address filters by.
   * @param {import("./address.js").State} state
   */
  values(state) {
    return Object.fromEntries(this.names.map((name) => [name, state.get(name)]));
  }

  /**
   * Show what the address holds as chips.
   * @param {Record<string, string | undefined>} values
   */
  show(values) {
    this.set = Object.fromEntries(this.names.map((name) => [name, values[name] || ""]).filter(([, value]) => value));
    this.chips.replaceChildren(...this.names.flatMap((name) => {
      const value = this.set[name];
      if (!value) return [];
      const text = name === "below" ? baseName(value) : name === "taken" ? value.replace("..", " – ") : value;
      return [make("button", { type: "button", class: "chip", title: value, "aria-label": t("filter.remove", { name: t(`filter.${name}`), value: text }), on: { click: () => this.change({ [name]: null }) } },
        make("span", { text: `${t(`filter.${name}`)}: ${text}` }), icon("close"))];
    }));
  }

  /** @param {Values} values */
  change(values) {
    const set = { ...this.set, ...values };
    this.show(Object.fromEntries(Object.entries(set).map(([name, value]) => [name, value ? String(value) : ""])));
    this.onChange(values);
  }

  async choose() {
    const [tree, labels] = await Promise.all([folders(), labelCounts()]);
    const sections = [];
    if (this.names.includes("below")) sections.push(this.list("below", tree.map(({ path, name, depth, images }) => ({ value: path, text: depth ? name : path, depth, images }))));
    if (this.names.includes("label") && labels.length) sections.push(this.list("label", labels.map(({ label, images }) => ({ value: label, text: label, depth: 0, images }))));
    if (this.names.includes("taken")) sections.push(this.dates());
    const clear = button(t("filter.clear"), { on: { click: () => { this.change(Object.fromEntries(this.names.map((name) => [name, null]))); dialog.close(); } } });
    const done = button(t("filter.done"), { class: "main", on: { click: () => dialog.close() } });
    const dialog = openDialog(t("filter.open"), sections, { kind: "filter-dialog", buttons: [clear, make("span", { class: "grow" }), done] });
  }

  /**
   * A list of folders or labels with a field to narrow it down.
   * @param {Name} name
   * @param {Entry[]} entries
   */
  list(name, entries) {
    const field = make("input", { type: "search", id: `filter-${name}`, autocomplete: "off", spellcheck: "false", placeholder: t("filter.find"), value: "" });
    const rows = make("ul", { class: "entries", data: { name } });
    const put = () => {
      const wanted = field.value.trim().toLowerCase();
      rows.replaceChildren(...entries.filter(({ value }) => value.toLowerCase().includes(wanted)).slice(0, MOST).map((entry) => this.entry(name, entry, put)));
    };
    field.addEventListener("input", put);
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !field.value.trim()) return;
      this.change({ [name]: field.value.trim() });
      field.value = "";
      put();
    });
    put();
    return make("section", {}, make("label", { for: field.id, text: t(`filter.${name}`) }), field, rows);
  }

  /** @param {Name} name @param {Entry} entry @param {() => unknown} put */
  entry(name, { value, text, depth, images }, put) {
    const on = this.set[name] === value;
    const one = make("button", { type: "button", class: "entry", "aria-pressed": String(on), style: { "--depth": String(depth) }, title: value, on: { click: () => {
      this.change({ [name]: on ? null : value });
      put();
    } } }, name === "below" ? icon("folder") : null, make("span", { text }), images === undefined ? null : make("span", { class: "soft small", text: number(images) }));
    return make("li", {}, one);
  }

  dates() {
    const [from, to] = (this.set.taken || "..").split("..");
    const field = (/** @type {string} */ id, /** @type {string} */ value) => make("input", { type: "date", id, value });
    const first = field("filter-from", from), last = field("filter-to", to || "");
    const put = () => this.change({ taken: first.value || last.value ? `${first.value}..${last.value}` : null });
    for (const one of [first, last]) one.addEventListener("change", put);
    return make("section", {}, make("h3", { text: t("filter.taken") }), make("div", { class: "buttons" },
      make("span", { class: "field" }, make("label", { for: first.id, text: t("filter.from") }), first),
      make("span", { class: "field" }, make("label", { for: last.id, text: t("filter.to") }), last)));
  }
}
