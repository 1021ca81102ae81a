// Going from group to group by keys, and deciding.

import { keys } from "./dialogs.js";
import { make, still } from "./dom.js";

const HELP = [
  ["↓ ↑", "group"], ["← →", "image"], ["Space", "mark"], ["A", "mark all"], ["K", "keep the marked"], ["N", "no duplicates"],
  ["L", "later"], ["C", "compare"], ["U", "undo"],
];

export class Walk {
  // `list`: what has cards(), blockOf(card), last (the cards that were decided), page.write and a note.
  constructor(list) {
    this.list = list;
    this.current = null; // the card that had the focus last
  }

  // The line that says which keys there are.
  help() {
    return make("p", { class: "keyline" }, ...HELP.flatMap(([key, does]) => [make("kbd", { text: key }), make("span", { text: does })]));
  }

  // Let keys do this until `signal` aborts.
  bind(signal) {
    const on = (name) => () => this.act(name);
    keys("Duplicates", {
      ArrowDown: ["next group", () => this.go(1)], ArrowUp: ["group before", () => this.go(-1)],
      ArrowRight: ["next image of the group", () => this.turn(1)], ArrowLeft: ["image before", () => this.turn(-1)],
      a: ["mark all images of the group, or only the best", on("all")], k: ["keep the marked images; the others may go", on("keep")],
      n: ["none is a duplicate of another", on("different")], l: ["later", on("later")],
      c: ["compare the best with the others", on("compare")], u: ["undo the last decision", on("undo")],
    }, signal);
  }

  // The card that keys are about: the one with the focus, else the last that had it.
  now() {
    const cards = this.list.cards();
    const found = cards.find((card) => card.node.contains(document.activeElement));
    return found || (cards.includes(this.current) ? this.current : null);
  }

  act(name) {
    if (name === "undo") {
      const last = this.list.last.at(-1);
      if (last) last.undo().catch((error) => { this.list.note.textContent = error.message; });
      return Boolean(last);
    }
    const card = this.now();
    if (!card) return Boolean(this.go(1)); // so that it is seen first what will be decided about
    if (!this.list.page.write && name !== "compare") return false;
    this.current = card;
    if (name === "compare") card.decision || card.compare();
    else if (name === "all") card.toggleAll();
    else card.decide(name);
    return true;
  }

  // Give the focus to the group after the one that has it, or before.
  go(step) {
    const cards = this.list.cards();
    const from = this.now();
    let at = from ? cards.indexOf(from) + step : 0;
    while (cards[at]?.decision) at += step;
    const card = cards[at];
    if (!card) return false;
    this.current = card;
    this.list.blockOf(card).draw();
    card.node.focus({ preventScroll: true });
    card.node.scrollIntoView({ block: "nearest", behavior: still() ? "auto" : "smooth" });
    return card;
  }

  turn(step) {
    const card = this.now();
    if (!card) return false;
    const picks = [...card.node.querySelectorAll(".pick")];
    const at = picks.indexOf(document.activeElement);
    const next = picks[at < 0 ? (step > 0 ? 0 : picks.length - 1) : at + step];
    if (next) next.focus();
    return true;
  }
}
