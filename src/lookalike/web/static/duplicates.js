// Duplicates: groups of images that look alike, one card each, to be decided by mouse or keys.
//
// Groups come page by page as somebody scrolls; pages far out of sight are taken out of the document and keep their
// height, so that thousands of groups cost no more than some dozens. A decision leaves a line with an undo button until
// the list is loaded again. The address holds what is shown, and the distance.

import { href } from "./address.js";
import { Apart, countApart } from "./apart.js";
import { ask, info, wait } from "./api.js";
import { count, focused, later, make, messageOf, number, present, within } from "./dom.js";
import { AHEAD, Block, keyOf, Sight } from "./groupblocks.js";
import { Walk } from "./groupkeys.js";
import { PlanLink } from "./planlink.js";

/** @typedef {import("./address.js").State} State */
/** @typedef {import("./groupcard.js").Card} Card */

const PAGE = 25; // groups per request
const STRICTNESS = { strict: "Exact copies", normal: "All copies", thorough: "All copies, thoroughly" };
const STATES = { undecided: "Undecided", decided: "Decided", later: "Skipped", all: "All", different: "Not duplicates" };
/** @type {Duplicates | null} */
let list = null;

/** @param {HTMLElement} container @param {State} state */
export async function show(container, state) {
  list ||= new Duplicates(container, state, await info());
  list.walk.bind(state.signal);
  await list.show(state);
}

export class Duplicates {
  /** @param {HTMLElement} container @param {State} state @param {api.Info} known */
  constructor(container, state, known) {
    this.state = state;
    this.known = known;
    this.write = known.write;
    /** @type {string | null} */
    this.asked = null; // what is shown
    this.turn = 0; // counts questions
    this.isApart = false; // decisions are shown, not groups
    this.loading = false;
    /** @type {string | null} */
    this.next = null;
    /** @type {Card[]} */
    this.last = []; // the cards that were decided
    this.page = { bits: known.bits, write: known.write, onDecision: (/** @type {Card} */ card) => this.decided(card) };
    this.working = make("div", { class: "working", role: "status" });
    this.choices = Object.entries(STATES).map(([name, text]) => make(
      "button", { type: "button", data: { state: name }, on: { click: () => this.change({ state: name === "undecided" ? null : name }) } },
      make("span", { text }), make("span", { class: "total" }),
    ));
    this.strictness = make("select", { id: "strictness" }, ...Object.entries(STRICTNESS).map(([value, text]) => make("option", { value, text })));
    this.strictness.addEventListener("change", () => this.change({ strictness: this.strictness.value === "normal" ? null : this.strictness.value }));
    this.done = make("progress", { "aria-label": "Groups decided", max: 1, value: 0 });
    this.told = make("p", { class: "told", role: "status" });
    this.plans = ["csv", "json"].map((format) => new PlanLink(format, (error) => { this.note.textContent = messageOf(error); }));
    this.note = make("p", { class: "note" });
    this.groups = make("div", { class: "groups" });
    this.end = make("div", { class: "end" });
    this.empty = make("p", { class: "nothing" });
    this.walk = new Walk(this);
    this.keys = this.walk.help();
    container.append(this.bar(), this.note, this.working, this.groups, this.end, this.empty, this.keys);
    /** @type {Block[]} */
    this.blocks = [];
    this.sight = new Sight(this.blocks);
    this.more = new IntersectionObserver((entries) => { if (entries.some((one) => one.isIntersecting)) this.load(); }, { rootMargin: AHEAD });
    this.more.observe(this.end);
    this.recount = later(() => this.count(), 250);
  }

  bar() {
    const field = make("span", { class: "field" }, make("label", { for: "strictness", text: "Find" }), this.strictness);
    const choice = make("div", { class: "choice", role: "group", "aria-label": "Which groups" }, ...this.choices);
    return make(
      "div", { class: "bar stuck" }, choice, field, make("span", { class: "field" }, this.done, this.told), make("span", { class: "grow" }),
      make("span", { class: "buttons" }, ...this.plans.map((one) => one.node)),
    );
  }

  values() {
    const state = this.state.get("state") || "undecided";
    const known = ["undecided", "decided", "later"].includes(state);
    const strictness = this.state.get("strictness") || "normal";
    return { strictness: strictness in STRICTNESS ? strictness : "normal", state: known ? state : null };
  }

  /** @param {Values} values */
  change(values) {
    this.state.set(values, { push: true });
    return this.show(this.state);
  }

  /** @param {State} state */
  async show(state) {
    this.state = state;
    const kept = state.get("state") || "undecided";
    const asked = JSON.stringify([this.values(), kept]);
    for (const one of this.choices) one.setAttribute("aria-pressed", String(one.dataset.state === kept));
    const turn = ++this.turn; // an answer may come after that of a later question
    if (asked === this.asked) return;
    this.asked = null;
    /** @type {api.Duplicates} */
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

  /**
   * Show the decisions that images are not duplicates, in place of groups.
   * @param {AbortSignal} signal
   */
  async showApart(signal) {
    const apart = new Apart({ write: this.write, onUndo: () => this.recount() });
    this.sight.clear(); // no key may decide about a group that is not shown
    this.groups.replaceChildren(apart.node);
    this.end.hidden = true;
    this.next = null;
    this.empty.hidden = (await apart.load(signal)) > 0;
    this.empty.textContent = "No images have been marked as not duplicates.";
  }

  /** @param {number} done @param {number} total */
  work(done, total) {
    const words = total ? `Comparing images: ${number(done)} of ${number(total)}` : "Comparing all images …";
    this.working.replaceChildren(make("p", { text: words }), make("progress", total ? { max: total, value: done } : {}));
  }

  /** @param {api.Duplicates} found */
  reset(found) {
    this.sight.clear();
    this.groups.replaceChildren();
    this.walk.current = null;
    this.last = [];
    this.strictness.value = this.values().strictness;
    this.keys.hidden = !this.write || this.isApart;
    this.add(found, null);
    this.counts(found);
    for (const one of this.plans) one.show(this.values().strictness);
    if (!found.pixels) this.follow();
  }

  /** @param {api.Duplicates} found @param {string | null} cursor */
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
      this.note.textContent = messageOf(error);
    } finally {
      this.loading = false;
    }
    const near = this.end.getBoundingClientRect().top < innerHeight + 1500;
    if (near && !this.end.hidden) this.load();
  }

  /** @param {api.Duplicates} found */
  counts(found) {
    const { states, images } = found;
    const all = states.undecided + states.decided + states.later;
    /** @type {Record<string, number>} */
    const totals = { ...states, all };
    for (const one of this.choices) {
      const total = totals[String(one.dataset.state)];
      if (total !== undefined) within(one, ".total").textContent = number(total);
    }
    const apart = within(this.choices[this.choices.length - 1], ".total");
    countApart().then((total) => { apart.textContent = number(total); }).catch(() => {});
    this.done.max = Math.max(1, all);
    this.done.value = states.decided;
    this.told.replaceChildren(make("b", { text: `${number(states.decided)} of ${number(all)}` }), " decided");
    this.told.title = `${count(images, "image")} in groups`;
    if (!this.isApart) {
      const shown = this.values().state;
      this.empty.hidden = this.blocks.some((block) => block.cards.length);
      this.empty.textContent = all === 0 ? "No duplicates found." : shown === "undecided" ? "All groups are decided." : "No such groups.";
    }
    this.note.replaceChildren(...this.notes(found));
  }

  /** @param {api.Duplicates} found */
  notes({ differing, by_code: unverified, same_scene: scenes, pixels, fresh }) {
    const again = () => { this.asked = null; };
    return present([
      this.write ? null : make("span", {}, "Read-only. To save decisions, restart with ",
        make("code", { text: "lookalike serve --db DB --write" }), ". This page never touches your files."),
      differing ? make("span", { text: ` Skipped ${count(differing, "candidate pair")} whose pictures do not match.` }) : null,
      scenes ? make("span", {}, ` ${count(scenes, "pair")} of other shots of one scene: `,
        make("code", { text: "lookalike duplicates --same-scene --db DB" }), " lists bursts and series.") : null,
      unverified ? make("span", { text: ` ${count(unverified, "image")} not verified: neither a thumbnail nor the file can be read.` }) : null,
      pixels ? null : make("span", { text: " Checking which copies have the same pixels …" }),
      fresh ? null : make("span", {}, " Images have changed; comparing them again. ",
        make("a", { href: href("cleanup", this.state.all()), text: "Reload", on: { click: again } })),
    ]);
  }

  async count() {
    this.counts(await ask("/api/duplicates", { values: { strictness: this.values().strictness, top: 1 } }));
  }

  // Once pixels were compared, say so on the cards that are there.
  async follow() {
    const { asked } = this;
    for (let pause = 400; asked === this.asked; pause = Math.min(4000, pause * 1.5)) {
      await new Promise((resolve) => { setTimeout(resolve, pause); });
      const found = await ask("/api/duplicates", { values: { strictness: this.values().strictness, top: 1 } }).catch(() => null);
      if (found?.pixels && asked === this.asked) return this.refresh(found);
    }
    return undefined;
  }

  /** @param {api.Duplicates} found */
  async refresh(found) {
    for (const block of [...this.blocks]) {
      /** @type {api.Duplicates} */
      const again = await ask("/api/duplicates", { values: { ...this.values(), top: PAGE, cursor: block.cursor } });
      const known = new Map(again.groups.map((group) => [keyOf(group), group]));
      for (const card of block.cards) {
        const group = known.get(keyOf(card.group));
        if (group && !card.decision && !card.node.contains(focused())) card.update(group);
      }
    }
    this.counts(found);
  }

  /**
   * Something was decided, or undone.
   * @param {Card} card
   */
  async decided(card) {
    const order = (/** @type {Card} */ one) => one.decision?.id || 0;
    this.last = this.cards().filter((one) => one.decision).sort((a, b) => order(a) - order(b));
    this.recount();
    if (card.decision?.kind === "different") await this.part(card);
    if (!card.decision) this.blockOf(card)?.join(card);
    this.walk.current = card;
    if (card.decision) this.walk.go(1);
  }

  /** @param {Card} card */
  blockOf(card) {
    return this.blocks.find((one) => one.cards.includes(card));
  }

  /**
   * Show what is left of a group that fell apart: some of its copies may still be together.
   * @param {Card} card
   */
  async part(card) {
    const block = this.blockOf(card);
    if (!block) return;
    const values = { ...this.values(), top: PAGE, cursor: block.cursor };
    const { groups } = await ask("/api/duplicates", { values }).catch(() => ({ groups: [] }));
    if (card.decision) block.part(card, groups);
  }

  cards() {
    return this.blocks.flatMap((block) => block.cards);
  }
}
