// Duplicates: groups of images that look alike, one card each, to be decided by mouse or keys.
//
// Groups come page by page as somebody scrolls; pages far out of sight are taken out of the document and keep their
// height, so that thousands of groups cost no more than some dozens. What was decided leaves a line with the way back
// until the list is shown anew. The address holds what is shown, and the radius.

import { href } from "./address.js";
import { ask, info, wait } from "./api.js";
import { keys } from "./dialogs.js";
import { count, later, make, number, still } from "./dom.js";
import { AHEAD, Block, keyOf, Sight } from "./groupblocks.js";
import { PlanLink } from "./planlink.js";

const PAGE = 25; // groups that are asked for at once
const STATES = { undecided: "Undecided", decided: "Decided", later: "Put off", all: "All" };
const HELP = [
  ["↓ ↑", "group"], ["← →", "image"], ["Space", "mark"], ["A", "mark all"], ["K", "keep the marked"], ["N", "no duplicates"],
  ["L", "later"], ["C", "compare"], ["U", "undo"],
];
let list = null;

export async function show(container, state) {
  list ||= new Duplicates(container);
  list.bind(state);
  await list.show(state);
}

class Duplicates {
  constructor(container) {
    this.working = make("div", { class: "working", role: "status" });
    this.choices = Object.entries(STATES).map(([name, text]) => make(
      "button", { type: "button", data: { state: name }, on: { click: () => this.change({ state: name === "undecided" ? null : name }) } },
      make("span", { text }), make("span", { class: "total" }),
    ));
    this.radius = make("input", { id: "group-radius", type: "number", min: 0, inputmode: "numeric" });
    this.radius.addEventListener("change", () => this.change({ radius: this.radius.value || null }));
    this.done = make("progress", { "aria-label": "Groups that are decided", max: 1, value: 0 });
    this.told = make("p", { class: "told", role: "status" });
    this.plans = ["csv", "json"].map((format) => new PlanLink(format, (error) => { this.note.textContent = error.message; }));
    this.note = make("p", { class: "note" });
    this.groups = make("div", { class: "groups" });
    this.end = make("div", { class: "end" });
    this.empty = make("p", { class: "nothing" });
    this.keys = make("p", { class: "keyline" }, ...HELP.flatMap(([key, does]) => [make("kbd", { text: key }), make("span", { text: does })]));
    container.append(this.bar(), this.note, this.working, this.groups, this.end, this.empty, this.keys);
    this.blocks = [];
    this.sight = new Sight(this.blocks);
    this.more = new IntersectionObserver((entries) => { if (entries.some((one) => one.isIntersecting)) this.load(); }, { rootMargin: AHEAD });
    this.more.observe(this.end);
    this.recount = later(() => this.count(), 250);
  }

  bar() {
    const field = make("span", { class: "field" }, make("label", { for: "group-radius", text: "Up to" }), this.radius, this.unit = make("span", { class: "soft small" }));
    const choice = make("div", { class: "choice", role: "group", "aria-label": "Which groups" }, ...this.choices);
    return make(
      "div", { class: "bar stuck" }, choice, field, make("span", { class: "field" }, this.done, this.told), make("span", { class: "grow" }),
      make("span", { class: "buttons" }, ...this.plans.map((one) => one.node)),
    );
  }

  bind(state) {
    const on = (name) => () => this.act(name);
    keys("Duplicates", {
      ArrowDown: ["next group", () => this.go(1)], ArrowUp: ["group before", () => this.go(-1)],
      ArrowRight: ["next image of the group", () => this.turn(1)], ArrowLeft: ["image before", () => this.turn(-1)],
      a: ["mark all images of the group, or only the best", on("all")], k: ["keep the marked images; the others may go", on("keep")],
      n: ["none is a duplicate of another", on("different")], l: ["later", on("later")],
      c: ["compare the best with the others", on("compare")], u: ["undo the last decision", on("undo")],
    }, state.signal);
  }

  values() {
    const state = this.state.get("state", "undecided");
    return { radius: this.state.number("radius"), state: state === "all" || !(state in STATES) ? null : state };
  }

  change(values) {
    this.state.set(values, { push: true });
    return this.show(this.state);
  }

  async show(state) {
    this.state = state;
    const asked = JSON.stringify(this.values());
    const kept = state.get("state", "undecided");
    for (const one of this.choices) one.setAttribute("aria-pressed", String(one.dataset.state === kept));
    if (asked === this.asked) return;
    this.asked = null;
    const { write } = await info();
    this.page = { write, told: (card) => this.decided(card) };
    const found = await wait("/api/duplicates", {
      values: { ...this.values(), top: PAGE }, signal: state.signal, onProgress: (done, total) => this.work(done, total),
    }).finally(() => this.working.replaceChildren());
    if (state.signal.aborted) return;
    this.asked = asked;
    this.reset(found);
    scrollTo(0, 0);
  }

  work(done, total) {
    const words = total ? `Comparing: ${number(done)} of ${count(total, "code")}` : "Comparing all images …";
    this.working.replaceChildren(make("p", { text: words }), make("progress", total ? { max: total, value: done } : {}));
  }

  reset(found) {
    this.sight.clear();
    this.groups.replaceChildren();
    this.current = null;
    this.last = [];
    this.page.bits = found.bits;
    this.radius.value = found.radius;
    this.radius.max = Math.floor(found.bits / 8);
    this.unit.textContent = `of ${found.bits} bits`;
    this.keys.hidden = !this.page.write;
    this.add(found, null);
    this.counts(found);
    for (const one of this.plans) one.show(found.radius);
    if (!found.pixels) this.follow();
  }

  add(found, cursor) {
    const block = new Block(this.page, found.groups, cursor);
    this.groups.append(block.node);
    this.sight.add(block);
    this.next = found.next;
    this.end.hidden = this.next === null;
  }

  async load() {
    if (this.loading || !this.next || this.groups.closest("[hidden]")) return;
    this.loading = true;
    const [{ asked }, cursor] = [this, this.next];
    try {
      const found = await wait("/api/duplicates", { values: { ...this.values(), top: PAGE, cursor } });
      if (asked === this.asked && cursor === this.next) this.add(found, cursor);
    } catch (error) {
      this.note.textContent = error.message;
    } finally {
      this.loading = false;
    }
    const near = this.end.getBoundingClientRect().top < innerHeight + 1500;
    if (near && !this.end.hidden) this.load();
  }

  counts({ states, images, radius, bits, pixels, fresh }) {
    const all = states.undecided + states.decided + states.later;
    const totals = { ...states, all };
    for (const one of this.choices) one.querySelector(".total").textContent = number(totals[one.dataset.state]);
    this.done.max = Math.max(1, all);
    this.done.value = states.decided;
    this.told.replaceChildren(make("b", { text: `${number(states.decided)} of ${number(all)}` }), ` decided, ${count(images, "image")}`);
    const shown = this.values().state;
    this.empty.hidden = this.blocks.some((block) => block.cards.length);
    this.empty.textContent = all === 0 ? `No two images are within ${radius} of ${bits} bits.`
      : shown === "undecided" ? "Every group is decided." : "There is no such group.";
    this.note.replaceChildren(...[
      this.page.write ? null : make("span", {}, "This server stores no decisions. To decide, start it with ",
        make("code", { text: "lookalike serve --db DB --write" }), ". No file is ever touched by this page."),
      pixels ? null : make("span", { text: " Reading which copies have the same pixels …" }),
      fresh ? null : make("span", {}, " Images have changed and are being compared anew. ", make("a", { href: href("duplicates", this.state.all()), text: "Show again",
        on: { click: () => { this.asked = null; } } })),
    ].filter(Boolean));
  }

  async count() {
    const { radius } = this.values();
    this.counts(await ask("/api/duplicates", { values: { radius, top: 1 } }));
  }

  // Once pixels were compared, say so on the cards that are there.
  async follow() {
    const { asked } = this;
    for (let pause = 400; asked === this.asked; pause = Math.min(4000, pause * 1.5)) {
      await new Promise((resolve) => { setTimeout(resolve, pause); });
      const found = await ask("/api/duplicates", { values: { radius: this.values().radius, top: 1 } }).catch(() => null);
      if (found && found.pixels && asked === this.asked) return this.refresh(found);
    }
    return null;
  }

  async refresh(found) {
    for (const block of [...this.blocks]) {
      const again = await ask("/api/duplicates", { values: { ...this.values(), top: PAGE, cursor: block.cursor } });
      const known = new Map(again.groups.map((group) => [keyOf(group), group]));
      for (const card of block.cards) {
        const group = known.get(keyOf(card.group));
        if (group && !card.decision && !card.node.contains(document.activeElement)) card.update(group);
      }
    }
    this.counts(found);
  }

  // Something was decided, or undone.
  async decided(card) {
    this.last = this.cards().filter((one) => one.decision).sort((a, b) => a.decision.id - b.decision.id);
    this.recount();
    if (card.decision?.kind === "different") await this.part(card);
    if (!card.decision) this.blockOf(card).join(card);
    this.current = card;
    if (card.decision) this.go(1);
  }

  blockOf(card) {
    return this.blocks.find((one) => one.cards.includes(card));
  }

  // Of a group that fell apart, copies may still be together.
  async part(card) {
    const block = this.blockOf(card);
    const values = { ...this.values(), top: PAGE, cursor: block.cursor };
    const { groups } = await ask("/api/duplicates", { values }).catch(() => ({ groups: [] }));
    if (card.decision) block.part(card, groups);
  }

  cards() {
    return this.blocks.flatMap((block) => block.cards);
  }

  // The card that keys are about: the one with the focus, else the last that had it.
  now() {
    const cards = this.cards();
    const found = cards.find((card) => card.node.contains(document.activeElement));
    return found || (cards.includes(this.current) ? this.current : null);
  }

  act(name) {
    if (name === "undo") {
      const last = this.last.at(-1);
      if (last) last.undo().catch((error) => { this.note.textContent = error.message; });
      return Boolean(last);
    }
    const card = this.now();
    if (!card) return Boolean(this.go(1)); // so that it is seen first what will be decided about
    if (!this.page.write && name !== "compare") return false;
    this.current = card;
    if (name === "compare") card.decision || card.compare();
    else if (name === "all") card.toggleAll();
    else card.decide(name);
    return true;
  }

  // Give the focus to the group after the one that has it, or before.
  go(step) {
    const cards = this.cards();
    const from = this.now();
    let at = from ? cards.indexOf(from) + step : 0;
    while (cards[at]?.decision) at += step;
    const card = cards[at];
    if (!card) return false;
    this.current = card;
    this.blockOf(card).draw();
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
