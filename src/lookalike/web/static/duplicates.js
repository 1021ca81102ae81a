// Duplicates: groups of images that look alike, one card each, to be decided by mouse or keys.
//
// Groups come page by page as somebody scrolls; pages far out of sight are taken out of the document and keep their
// height, so that thousands of groups cost no more than some dozens. What was decided leaves a line with the way back
// until the list is shown anew. The address holds what is shown, and the radius.

import { href } from "./address.js";
import { Apart, countApart } from "./apart.js";
import { ask, info, wait } from "./api.js";
import { count, falsePairs, later, make, number } from "./dom.js";
import { AHEAD, Block, keyOf, Sight } from "./groupblocks.js";
import { Walk } from "./groupkeys.js";
import { PlanLink } from "./planlink.js";

const PAGE = 25; // groups that are asked for at once
const STATES = { undecided: "Undecided", decided: "Decided", later: "Put off", all: "All", different: "No duplicates" };
let list = null;

export async function show(container, state) {
  list ||= new Duplicates(container);
  list.walk.bind(state.signal);
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
    this.walk = new Walk(this);
    this.keys = this.walk.help();
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

  values() {
    const state = this.state.get("state", "undecided");
    const known = ["undecided", "decided", "later"].includes(state);
    return { radius: this.state.number("radius"), state: known ? state : null };
  }

  change(values) {
    this.state.set(values, { push: true });
    return this.show(this.state);
  }

  async show(state) {
    this.state = state;
    const kept = state.get("state", "undecided");
    const asked = JSON.stringify([this.values(), kept]);
    for (const one of this.choices) one.setAttribute("aria-pressed", String(one.dataset.state === kept));
    const turn = this.turn = (this.turn || 0) + 1; // an answer may come after that of a later question
    if (asked === this.asked) return;
    this.asked = null;
    const { write, calibration, duplicate } = await info();
    this.page = { write, calibration, duplicate, told: (card) => this.decided(card) };
    const found = await wait("/api/duplicates", {
      values: { ...this.values(), top: PAGE }, signal: state.signal, onProgress: (done, total) => this.work(done, total),
    }).finally(() => this.working.replaceChildren());
    if (state.signal.aborted || turn !== this.turn) return;
    this.asked = asked;
    this.isApart = kept === "different";
    this.reset(found);
    if (this.isApart) await this.showApart(state.signal);
    scrollTo(0, 0);
  }

  // In place of groups: what was decided to be none.
  async showApart(signal) {
    const apart = new Apart({ write: this.page.write, told: () => this.recount() });
    this.sight.clear(); // no key may decide about a group that is not shown
    this.groups.replaceChildren(apart.node);
    this.end.hidden = true;
    this.next = null;
    this.empty.hidden = (await apart.load(signal)) > 0;
    this.empty.textContent = "Nothing was decided to be no duplicate.";
  }

  work(done, total) {
    const words = total ? `Comparing: ${number(done)} of ${count(total, "code")}` : "Comparing all images …";
    this.working.replaceChildren(make("p", { text: words }), make("progress", total ? { max: total, value: done } : {}));
  }

  reset(found) {
    this.sight.clear();
    this.groups.replaceChildren();
    this.walk.current = null;
    this.last = [];
    this.page.bits = found.bits;
    this.radius.value = found.radius;
    this.radius.max = Math.max(Math.floor(found.bits / 8), found.radius);
    this.unit.textContent = "bits";
    this.unit.title = `of ${found.bits}`;
    this.keys.hidden = !this.page.write || this.isApart;
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

  counts({ states, images, radius, bits, differing, by_code: byCode, pixels, fresh }) {
    const all = states.undecided + states.decided + states.later;
    const totals = { ...states, all };
    for (const one of this.choices) {
      if (one.dataset.state in totals) one.querySelector(".total").textContent = number(totals[one.dataset.state]);
    }
    countApart().then((total) => { this.choices.at(-1).querySelector(".total").textContent = number(total); }).catch(() => {});
    this.done.max = Math.max(1, all);
    this.done.value = states.decided;
    this.told.replaceChildren(make("b", { text: `${number(states.decided)} of ${number(all)}` }), " decided");
    this.told.title = `${count(images, "image")} in groups`;
    const shown = this.values().state;
    if (!this.isApart) this.empty.hidden = this.blocks.some((block) => block.cards.length);
    if (!this.isApart) this.empty.textContent = all === 0 ? `No two images are within ${radius} of ${bits} bits.`
      : shown === "undecided" ? "Every group is decided." : "There is no such group.";
    this.note.replaceChildren(...[
      this.page.write ? null : make("span", {}, "This server stores no decisions. To decide, start it with ",
        make("code", { text: "lookalike serve --db DB --write" }), ". No file is ever touched by this page."),
      this.page.calibration && radius === this.page.duplicate
        ? make("span", { text: ` That distance is calibrated: ${falsePairs(this.page.calibration)}.` }) : null,
      differing ? make("span", { text: ` ${count(differing, "pair")} of near codes left out: laid over each other, the pictures seem to differ.` }) : null,
      byCode ? make("span", { text: ` ${count(byCode, "image")} went by code alone.` }) : null,
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
    this.walk.current = card;
    if (card.decision) this.walk.go(1);
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
}
