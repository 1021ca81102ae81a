// What was decided to be no duplicates: a line for each decision, newest first, with an undo button.

import { href } from "./address.js";
import { ask } from "./api.js";
import { alertLine, button, make, messageOf, say } from "./dom.js";
import { baseName, thumbnail } from "./tiles.js";

const PAGE = 50; // decisions per request
const SHOWN = 8; // images of a decision

/** @param {AbortSignal} [signal] @param {Values} [values] @returns {Promise<api.Decisions>} */
function decisions(signal, values = { top: 1 }) {
  return ask("/api/decisions", { values: { kind: "different", ...values }, signal });
}

// How many there are.
export async function countApart() {
  return (await decisions()).total;
}

export class Apart {
  /** @param {{ write: boolean, onUndo: () => unknown }} options `write`: whether they can be undone */
  constructor({ write, onUndo }) {
    this.write = write;
    this.onUndo = onUndo;
    this.lines = make("div", { class: "block" });
    this.more = button("More", { class: "more", on: { click: () => this.load() } });
    this.node = make("div", { class: "groups" }, this.lines, this.more);
    /** @type {string | null} */
    this.next = null;
  }

  /** @param {AbortSignal} [signal] */
  async load(signal) {
    const found = await decisions(signal, { top: PAGE, cursor: this.next });
    this.lines.append(...found.decisions.map((one) => this.line(one)));
    this.next = found.next;
    this.more.hidden = this.next === null;
    return found.total;
  }

  /** @param {api.Decision} decision */
  line(decision) {
    const images = [...decision.images].sort((one, other) => other.part - one.part);
    const pictures = images.filter((one) => one.id !== null).slice(0, SHOWN).map((one) => make(
      "a", { href: href("search", { id: one.id }), "aria-label": baseName(one.path) },
      make("img", { src: thumbnail(Number(one.id), 64), alt: "", width: 40, height: 40, loading: "lazy", title: one.path }),
    ));
    const day = new Date(decision.at).toLocaleDateString();
    const names = images.slice(0, 3).map((one) => baseName(one.path)).join(", ") + (images.length > 3 ? " …" : "");
    const node = make(
      "article", { class: "group done", "aria-label": `Not duplicates: ${names}` }, ...pictures,
      make("p", {}, make("span", { text: names }), make("span", { class: "soft", text: ` · ${day}` })), make("span", { class: "grow" }),
    );
    if (this.write) node.append(button("Undo", { on: { click: () => this.undo(decision, node) } }));
    return node;
  }

  /** @param {api.Decision} decision @param {HTMLElement} node */
  async undo(decision, node) {
    try {
      await ask(`/api/decisions/${decision.id}`, { method: "DELETE" });
      node.remove();
      say("Undone: these images may be grouped again");
      this.onUndo();
    } catch (error) {
      node.append(alertLine(messageOf(error)));
    }
  }
}
