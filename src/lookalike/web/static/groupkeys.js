// Going from group to group by keys, and deciding.

import { keys } from "./dialogs.js";
import { focused, make, still } from "./dom.js";
import { t } from "./text.js";

/** @typedef {import("./groupcard.js").Card} Card */
/** @typedef {import("./cleanup.js").CleanUp} CleanUp */

/** @type {[key: string, does: import("./text.js").Key][]} */
const HELP = [
  ["↓ ↑", "keys.group"], ["← →", "keys.image"], ["Space", "keys.mark"], ["A", "keys.markAll"], ["K", "keys.keep"], ["N", "keys.not"],
  ["S", "keys.skip"], ["C", "keys.compare"], ["U", "keys.undo"],
];

export class Walk {
  /** @param {CleanUp} list */
  constructor(list) {
    this.list = list;
    /** @type {Card | null} */
    this.current = null; // the card that had the focus last
    /** @type {((card: Card) => unknown)[]} */
    this.held = []; // keys pressed before the groups had come that they are about
    this.waiting = false; // for the next group
  }

  reset() {
    this.current = null;
    this.held = [];
    this.waiting = false;
  }

  // The line that lists the keys.
  help() {
    return make("p", { class: "keyline" }, ...HELP.flatMap(([key, does]) => [make("kbd", { text: key }), make("span", { text: t(does) })]));
  }

  /**
   * Bind the keys until `signal` aborts.
   * @param {AbortSignal} signal
   */
  bind(signal) {
    const decide = (/** @type {api.DecisionKind} */ kind) => () => this.act((card) => card.decide(kind));
    keys(t("page.cleanup"), {
      ArrowDown: [t("keys.nextGroup"), () => this.go(1)], ArrowUp: [t("keys.previousGroup"), () => this.go(-1)],
      ArrowRight: [t("keys.nextImage"), () => this.turn(1)], ArrowLeft: [t("keys.previousImage"), () => this.turn(-1)],
      a: [t("keys.markAllLong"), () => this.act((card) => card.toggleAll())],
      k: [t("keys.keepLong"), decide("keep")],
      n: [t("cleanup.notDuplicates"), decide("not-duplicates")], s: [t("keys.skipLong"), decide("skip")],
      c: [t("keys.compareLong"), () => this.act((card) => card.compare(), { looks: true })],
      u: [t("keys.undoLong"), () => this.list.undoLast()],
    }, signal);
  }

  // The card that keys are about: the one with the focus, else the last that had it.
  now() {
    const cards = this.list.cards();
    const found = cards.find((card) => card.node.contains(focused()));
    return found || (this.current && cards.includes(this.current) ? this.current : null);
  }

  /** @param {(card: Card) => unknown} run @param {{ looks?: boolean }} options `looks`: it changes nothing */
  act(run, { looks = false } = {}) {
    const card = this.now();
    if (!card) return Boolean(this.go(1)); // so that people see first what they decide about
    if (!this.list.write && !looks) return false;
    this.current = card;
    if (!looks && card.decision) {
      if (!this.go(1) && this.list.next) this.held.push(run);
      return true;
    }
    run(card);
    return true;
  }

  // The current card is decided: go on, now or as soon as there is another.
  advance() {
    this.waiting = !this.go(1);
  }

  // Groups have come: do what was asked for meanwhile.
  resume() {
    if (!this.waiting || !this.go(1)) return;
    this.waiting = false;
    while (this.held.length && this.current && !this.current.decision) this.held.shift()?.(this.current);
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
