// Going from group to group by keys, and deciding.

import { keys } from "./dialogs.js";
import { focused, make, messageOf, still } from "./dom.js";

/** @typedef {import("./groupcard.js").Card} Card */
/** @typedef {import("./duplicates.js").Duplicates} Duplicates */

const HELP = [
  ["↓ ↑", "group"], ["← →", "image"], ["Space", "mark"], ["A", "mark all"], ["K", "keep the marked"], ["N", "not duplicates"],
  ["L", "skip"], ["C", "compare"], ["U", "undo"],
];

export class Walk {
  /** @param {Duplicates} list */
  constructor(list) {
    this.list = list;
    /** @type {Card | null} */
    this.current = null; // the card that had the focus last
  }

  // The line that lists the keys.
  help() {
    return make("p", { class: "keyline" }, ...HELP.flatMap(([key, does]) => [make("kbd", { text: key }), make("span", { text: does })]));
  }

  /**
   * Bind the keys until `signal` aborts.
   * @param {AbortSignal} signal
   */
  bind(signal) {
    const decide = (/** @type {api.DecisionKind} */ kind) => () => this.act((card) => card.decide(kind));
    keys("Duplicates", {
      ArrowDown: ["next group", () => this.go(1)], ArrowUp: ["previous group", () => this.go(-1)],
      ArrowRight: ["next image of the group", () => this.turn(1)], ArrowLeft: ["previous image of the group", () => this.turn(-1)],
      a: ["mark all images of the group, or only the best", () => this.act((card) => card.toggleAll())],
      k: ["keep the marked images, remove the others", decide("keep")],
      n: ["not duplicates", decide("different")], l: ["skip this group", decide("later")],
      c: ["compare the copies with the best", () => this.act((card) => card.decision || card.compare(), { looks: true })],
      u: ["undo the last decision", () => this.undo()],
    }, signal);
  }

  // The card that keys are about: the one with the focus, else the last that had it.
  now() {
    const cards = this.list.cards();
    const found = cards.find((card) => card.node.contains(focused()));
    return found || (this.current && cards.includes(this.current) ? this.current : null);
  }

  undo() {
    const last = this.list.last.at(-1);
    last?.undo().catch((error) => { this.list.note.textContent = messageOf(error); });
    return Boolean(last);
  }

  /** @param {(card: Card) => unknown} run @param {{ looks?: boolean }} options `looks`: it changes nothing */
  act(run, { looks = false } = {}) {
    const card = this.now();
    if (!card) return Boolean(this.go(1)); // so that people see first what they decide about
    if (!this.list.write && !looks) return false;
    this.current = card;
    run(card);
    return true;
  }

  /**
   * Move the focus to the next group that is not decided yet, or to the previous one.
   * @param {1 | -1} step
   */
  go(step) {
    const cards = this.list.cards();
    const from = this.now();
    let at = from ? cards.indexOf(from) + step : 0;
    while (cards[at]?.decision) at += step;
    const card = cards[at];
    if (!card) return false;
    this.current = card;
    this.list.blockOf(card)?.draw();
    card.node.focus({ preventScroll: true });
    card.node.scrollIntoView({ block: "nearest", behavior: still() ? "auto" : "smooth" });
    return card;
  }

  /** @param {1 | -1} step */
  turn(step) {
    const card = this.now();
    if (!card) return false;
    const picks = /** @type {HTMLElement[]} */ ([...card.node.querySelectorAll(".pick")]);
    const own = focused();
    const at = own ? picks.indexOf(own) : -1;
    const next = picks[at < 0 ? (step > 0 ? 0 : picks.length - 1) : at + step];
    if (next) next.focus();
    return true;
  }
}
