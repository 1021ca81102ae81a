// The last decisions, which one button undoes, also after a reload; and whether the server has them all.

import { ask } from "./api.js";
import { button, make, messageOf } from "./dom.js";
import { t } from "./text.js";

/** @typedef {import("./groupcard.js").Card} Card */
/** @typedef {{ keys: string[], card: Card | null }} Made */

export class LastDecisions {
  /** @param {import("./queue.js").Queue} queue @param {() => unknown} onUndo */
  constructor(queue, onUndo) {
    this.queue = queue;
    /** @type {Made[]} */
    this.made = []; // since the page was loaded, the newest last
    this.node = button(t("cleanup.undoLast"), { hidden: true, on: { click: onUndo } });
  }

  /** @param {string[]} keys of decisions made at once @param {Card | null} card the card they were made on */
  add(keys, card) {
    this.made.push({ keys, card });
    this.node.hidden = false;
  }

  /** @param {Card} card */
  drop(card) {
    this.made = this.made.filter((one) => one.card !== card);
    this.node.hidden = this.made.length === 0;
  }

  /** @param {string} key */
  forget(key) {
    this.made = this.made.filter((one) => !one.keys.includes(key));
  }

  // Undo the newest; null if there is none. What was decided before the page was loaded, the server knows.
  async undo() {
    const last = this.made.pop();
    this.node.hidden = this.made.length === 0;
    if (last) {
      this.queue.undo(last.keys);
      return { cards: last.card ? [last.card] : [], keys: last.keys };
    }
    await this.queue.flush();
    /** @type {api.Decisions} */
    const { items } = await ask("/api/v1/decisions", { values: { limit: 1 } });
    if (!items.length) return null;
    this.queue.undo([items[0].id]);
    await this.queue.flush();
    return { cards: [], keys: [] };
  }
}

// A line that says how many decisions wait for the server, and why.
export class Saving {
  /** @param {import("./queue.js").Queue} queue */
  constructor(queue) {
    this.queue = queue;
    this.lost = "";
    this.words = make("span", {});
    this.retry = button(t("saving.retry"), { class: "plain", on: { click: () => queue.flush() } });
    this.node = make("span", { class: "saving", role: "status" }, this.words, this.retry);
    queue.addEventListener("change", () => { this.lost = ""; this.draw(); });
    queue.addEventListener("lost", (event) => { this.lost = messageOf(/** @type {CustomEvent} */ (event).detail.error); this.draw(); });
    this.draw();
  }

  draw() {
    const { length } = this.queue.entries;
    this.node.hidden = length === 0;
    this.node.classList.toggle("lost", this.lost !== "");
    this.words.textContent = this.lost ? t("saving.waiting", { count: length }) : t("saving.saving", { count: length });
    this.node.title = this.lost;
    this.retry.hidden = !this.lost;
  }
}
