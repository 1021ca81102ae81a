// What was decided to be no duplicates: a line for each decision, newest first, with an undo button.

import { href } from "./address.js";
import { ask } from "./api.js";
import { alertLine, button, make, messageOf, say } from "./dom.js";
import { dateText, t } from "./text.js";
import { baseName, thumbnail } from "./tiles.js";

const PAGE = 50; // decisions per request
const SHOWN = 8; // images of a decision

/** @param {AbortSignal} [signal] @param {Values} [values] @returns {Promise<api.Decisions>} */
function decisions(signal, values = { limit: 1 }) {
  return ask("/api/v1/decisions", { values: { kind: "not-duplicates", ...values }, signal });
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
    this.lines = make("div", { class: "lines" });
    this.more = button(t("cleanup.moreLines"), { class: "more", on: { click: () => this.load() } });
    this.node = make("div", { class: "panel" }, this.lines, this.more);
    /** @type {string | null} */
    this.next = null;
  }

  /** @param {AbortSignal} [signal] */
  async load(signal) {
    const found = await decisions(signal, { limit: PAGE, cursor: this.next });
    this.lines.append(...found.items.map((one) => this.line(one)));
    this.next = found.next;
    this.more.hidden = this.next === null;
    this.node.hidden = found.total === 0;
    return found.total;
  }

  /** @param {api.Decision} decision */
  line(decision) {
    const images = [...decision.images].sort((one, other) => other.part - one.part);
    const pictures = images.filter((one) => one.id !== null).slice(0, SHOWN).map((one) => make(
      "a", { href: href("search", { id: one.id }), "aria-label": baseName(one.path) },
      make("img", { src: thumbnail(Number(one.id), 64), alt: "", width: 56, height: 56, loading: "lazy", title: one.path }),
    ));
    const names = images.slice(0, 3).map((one) => baseName(one.path)).join(", ") + (images.length > 3 ? " …" : "");
    const node = make(
      "article", { class: "line", "aria-label": `${t("cleanup.notDuplicates")}: ${names}` }, ...pictures,
      make("p", {}, make("span", { text: names }), make("span", { class: "soft", text: ` · ${dateText(new Date(decision.at))}` })),
      make("span", { class: "grow" }),
    );
    if (this.write) node.append(button(t("cleanup.undo"), { on: { click: () => this.undo(decision, node) } }));
    return node;
  }

  /** @param {api.Decision} decision @param {HTMLElement} node */
  async undo(decision, node) {
    try {
      await ask("/api/v1/decisions/undo", { json: { ids: [decision.id] } });
      node.remove();
      say(t("cleanup.undone"));
      this.onUndo();
    } catch (error) {
      node.append(alertLine(messageOf(error)));
    }
  }
}
