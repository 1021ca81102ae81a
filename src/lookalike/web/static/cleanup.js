// Clean up: groups of copies, to be decided one by one or many at once, and carried out into the trash.
//
// Groups come page by page as somebody scrolls; pages far out of sight are taken out of the document and keep their
// height, so that thousands of groups cost no more than some dozens. What is decided shows at once; a queue tells the
// server. The address holds what is shown.

import { href } from "./address.js";
import { Apart, countApart } from "./apart.js";
import { info } from "./api.js";
import { ApplyDialog } from "./apply.js";
import { acceptMenu, RulesDialog, ruleText } from "./bulk.js";
import { choice, fill, press } from "./choice.js";
import { bytes, button, later, make, messageOf, present, say } from "./dom.js";
import { AHEAD, Block, keyOf, Sight } from "./groupblocks.js";
import { Walk } from "./groupkeys.js";
import { groupsOf, Rules } from "./groups.js";
import { LastDecisions, Saving } from "./lastdecisions.js";
import { Queue } from "./queue.js";
import { Runs } from "./runs.js";
import { number, t } from "./text.js";

/** @typedef {import("./address.js").State} State */
/** @typedef {import("./groupcard.js").Card} Card */
/** @typedef {import("./queue.js").NewDecision} NewDecision */

const PAGE = 48; // groups per request
const NEAR = 24; // groups before the end of what is loaded when more are requested
const SMALL = 20000; // images up to which the counts of all strictnesses are requested
const STATES = /** @type {const} */ (["undecided", "decided", "skipped", "apart", "runs"]);
const LEVELS = /** @type {const} */ (["strict", "normal", "thorough"]);
const RELATIONS = /** @type {const} */ (["exact", "same-pixels", "edited"]);
/** @type {CleanUp | null} */
let list = null;

/** @param {HTMLElement} container @param {State} state */
export async function show(container, state) {
  list ||= new CleanUp(container, state, await info());
  list.walk.bind(state.signal);
  await list.show(state);
}

export class CleanUp {
  /** @param {HTMLElement} container @param {State} state @param {api.Info} known */
  constructor(container, state, known) {
    this.state = state;
    this.known = known;
    this.write = known.write;
    this.queue = new Queue(known.database_id);
    this.rules = new Rules(known.database_id);
    /** @type {string | null} */
    this.asked = null; // what is shown
    this.turn = 0; // counts questions
    this.loading = false;
    this.moved = false; // files were moved, and the server has not counted again
    /** @type {string | null} */
    this.next = null;
    /** @type {api.Groups | null} */
    this.found = null; // the last counts
    this.page = {
      write: known.write,
      onDecide: (/** @type {Card} */ card, /** @type {NewDecision} */ decision) => this.decided(card, decision),
      onUndo: (/** @type {Card} */ card) => this.undone(card),
    };
    this.last = new LastDecisions(this.queue, () => this.undoLast());
    this.working = make("div", { class: "working", role: "status" });
    this.sentence = make("h2", { class: "sentence", role: "status" });
    this.saving = new Saving(this.queue);
    this.states = choice(STATES.filter((name) => name !== "runs" || known.trash), (name) => t(`cleanup.tab.${name}`), (name) => this.change({ state: name === "undecided" ? null : name }));
    this.levels = choice(LEVELS, (name) => t(`cleanup.level.${name}`), (name) => this.change({ strictness: name === "normal" ? null : name }));
    this.kinds = choice(["all", ...RELATIONS], (name) => t(`cleanup.kind.${name}`), (name) => this.change({ kind: name === "all" ? null : name }));
    this.views = choice(["grid", "large"], (name) => t(`cleanup.view.${name}`), (name) => this.change({ view: name === "grid" ? null : name }));
    this.chips = make("span", { class: "chips" });
    this.note = make("div", { class: "note" });
    this.groups = make("div", { class: "groups" });
    this.end = make("div", { class: "end" });
    this.empty = make("p", { class: "nothing" });
    this.walk = new Walk(this);
    this.keys = this.walk.help();
    this.tools = make("div", { class: "bar tools" });
    this.many = make("span", { class: "buttons many" });
    container.append(...this.bars(), this.note, this.working, this.groups, this.end, this.empty, this.keys);
    /** @type {Block[]} */
    this.blocks = [];
    this.sight = new Sight(this.blocks);
    this.more = new IntersectionObserver((entries) => { if (entries.some((one) => one.isIntersecting)) this.load(); }, { rootMargin: AHEAD });
    this.more.observe(this.end);
    this.recount = later(() => this.count(), 300);
    this.queue.addEventListener("change", () => { if (!this.queue.entries.length) this.recount(); });
    this.queue.addEventListener("refused", (event) => this.refused(/** @type {CustomEvent} */ (event).detail));
  }

  bars() {
    this.states.setAttribute("aria-label", t("cleanup.which"));
    this.levels.setAttribute("aria-label", t("cleanup.strictness"));
    this.kinds.setAttribute("aria-label", t("cleanup.kinds"));
    this.views.setAttribute("aria-label", t("cleanup.views"));
    const apply = button(t("cleanup.apply"), { class: "main", on: { click: () => this.apply() } });
    this.tools.append(
      this.levels, this.kinds, make("span", { class: "grow" }), this.views,
    );
    this.many.append(...present([
      this.last.node, button(t("rules.open"), { on: { click: () => new RulesDialog(this).open() } }), this.write ? acceptMenu(this) : null,
    ]));
    return [
      make("div", { class: "headline" }, this.sentence, this.saving.node, make("span", { class: "grow" }), apply),
      make("div", { class: "bar stuck" }, this.states, make("span", { class: "grow" }), this.many), this.tools, this.chips,
    ];
  }

  values() {
    const state = this.state.get("state") || "undecided";
    const strictness = this.state.get("strictness") || "normal";
    const kind = this.state.get("kind");
    return {
      strictness: LEVELS.find((one) => one === strictness) || "normal",
      state: /** @type {api.GroupState} */ (["decided", "skipped"].find((one) => one === state) || "undecided"),
      relation: RELATIONS.find((one) => one === kind) || null,
    };
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
    const { strictness, relation } = this.values();
    press(this.states, kept);
    press(this.levels, strictness);
    press(this.kinds, relation || "all");
    press(this.views, state.get("view") || "grid");
    this.groups.classList.toggle("large", state.get("view") === "large");
    const asked = JSON.stringify([this.values(), this.rules.list, kept]);
    const turn = ++this.turn; // an answer may come after that of a later question
    if (asked === this.asked) return;
    this.asked = null;
    await this.queue.flush(); // so that what waits is not asked again
    const found = await groupsOf({ ...this.values(), limit: PAGE }, this.rules.list, {
      signal: state.signal, onProgress: (done, total) => this.work(done, total),
    }).finally(() => this.working.replaceChildren());
    if (state.signal.aborted || turn !== this.turn) return;
    this.asked = asked;
    this.reset(found);
    if (kept === "apart" || kept === "runs") await this.showOther(kept, state.signal);
    else this.countLevels();
    scrollTo(0, 0);
  }

  /**
   * Show what was decided to be no duplicates, or the runs, in place of groups.
   * @param {"apart" | "runs"} what
   * @param {AbortSignal} signal
   */
  async showOther(what, signal) {
    const shown = what === "apart" ? new Apart({ write: this.write, onUndo: () => this.recount() })
      : new Runs({ write: this.write, onChange: () => this.changed() });
    this.groups.replaceChildren(shown.node);
    this.end.hidden = true;
    this.next = null;
    this.empty.hidden = (await shown.load(signal)) > 0;
    this.empty.textContent = t(`cleanup.none.${what}`);
  }

  // Files were moved: what is shown is of the past.
  changed() {
    this.asked = null;
    this.moved = true;
    this.sentence.textContent = t("cleanup.recounting");
    dispatchEvent(new Event("collectionchange"));
    this.count().then(() => this.follow());
  }

  /** @param {number} done @param {number} total */
  work(done, total) {
    const words = total ? t("cleanup.comparing", { done: number(done), total: number(total) }) : t("cleanup.comparingAll");
    this.working.replaceChildren(make("p", { text: words }), make("progress", total ? { max: total, value: done } : {}));
  }

  /** @param {api.Groups} found */
  reset(found) {
    const other = ["apart", "runs"].includes(this.state.get("state") || "");
    this.sight.clear();
    this.groups.replaceChildren();
    this.walk.reset();
    this.keys.hidden = !this.write || other;
    this.tools.hidden = other;
    this.many.hidden = other;
    this.note.hidden = other;
    if (!other) this.add(found, null);
    this.counts(found);
    this.chips.replaceChildren(...this.rules.list.map((rule) => make(
      "button", { type: "button", class: "chip", title: t("rules.remove"), on: { click: () => this.useRules(this.rules.list.filter((one) => one !== rule)) } },
      make("span", { text: ruleText(rule) }), make("span", { "aria-hidden": "true", text: " ×" }),
    )));
    if (!found.pixels || !found.fresh) this.follow();
  }

  /** @param {api.Groups} found @param {string | null} cursor */
  add(found, cursor) {
    const block = new Block(this.page, found.items, cursor);
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
      const found = await groupsOf({ ...this.values(), limit: PAGE, cursor }, this.rules.list);
      if (asked === this.asked && cursor === this.next) this.add(found, cursor);
    } catch (error) {
      this.note.textContent = messageOf(error);
    } finally {
      this.loading = false;
    }
    this.walk.resume();
    const near = this.end.getBoundingClientRect().top < innerHeight + 1500;
    if (near && !this.end.hidden) this.load();
  }

  /** @param {api.Groups} found */
  counts(found) {
    this.found = found;
    const { states, removable, freed, relations } = found;
    const all = states.undecided + states.decided + states.skipped;
    this.moved &&= !found.fresh;
    this.sentence.textContent = this.moved ? t("cleanup.recounting") : all ? [t("cleanup.groups", { count: all }), t("cleanup.canGo", { count: removable }), t("cleanup.frees", { bytes: bytes(freed) })].join(" · ")
      : t("cleanup.none.groups");
    for (const [name, total] of Object.entries(states)) fill(this.states, name, total);
    for (const name of RELATIONS) fill(this.kinds, name, relations[name] || 0);
    fill(this.levels, this.values().strictness, all);
    countApart().then((total) => fill(this.states, "apart", total)).catch(() => {});
    const shown = this.state.get("state") || "undecided";
    if (shown !== "apart" && shown !== "runs") {
      this.empty.hidden = this.blocks.some((block) => block.cards.length);
      this.empty.textContent = t(all === 0 ? "cleanup.none.found" : shown === "undecided" ? "cleanup.none.undecided" : "cleanup.none.such");
    }
    this.note.replaceChildren(...this.notes(found));
  }

  /** @param {api.Groups} found */
  notes({ by_code: unverified, same_scene: scenes, pixels, fresh }) {
    const again = () => { this.asked = null; this.show(this.state); };
    return present([
      this.write ? null : make("p", {}, `${t("cleanup.readOnly")} `, make("code", { text: "lookalike serve --db DB --write --trash FOLDER" })),
      scenes ? make("p", {}, make("a", { href: href("scenes"), text: t("cleanup.scenes", { count: scenes }) })) : null,
      unverified ? make("p", { text: t("cleanup.unverified", { count: unverified }) }) : null,
      pixels ? null : make("p", { text: t("cleanup.reading") }),
      fresh ? null : make("p", {}, `${t("cleanup.stale")} `, button(t("cleanup.reload"), { class: "plain", on: { click: again } })),
    ]);
  }

  async count() {
    this.counts(await groupsOf({ strictness: this.values().strictness, limit: 1 }, this.rules.list));
  }

  // How many groups the other strictnesses find; a large collection is only compared when somebody asks.
  async countLevels() {
    if (this.known.images > SMALL) return;
    const { asked } = this;
    for (const strictness of LEVELS.filter((one) => one !== this.values().strictness)) {
      const found = await groupsOf({ strictness, limit: 1 }, [], { signal: this.state.signal }).catch(() => null);
      if (asked !== this.asked || !found) return;
      fill(this.levels, strictness, found.states.undecided + found.states.decided + found.states.skipped);
    }
  }

  // Once all is compared, say so on the cards that are there.
  async follow() {
    const { asked } = this;
    for (let pause = 400; asked === this.asked; pause = Math.min(4000, pause * 1.5)) {
      await new Promise((resolve) => { setTimeout(resolve, pause); });
      const found = await groupsOf({ strictness: this.values().strictness, limit: 1 }, this.rules.list).catch(() => null);
      if (found?.pixels && found.fresh && asked === this.asked) return this.refresh(found);
    }
    return undefined;
  }

  /** @param {api.Groups} found */
  async refresh(found) {
    for (const block of [...this.blocks]) {
      const again = await groupsOf({ ...this.values(), limit: PAGE, cursor: block.cursor }, this.rules.list);
      const known = new Map(again.items.map((group) => [keyOf(group), group]));
      for (const card of block.cards) {
        const group = known.get(keyOf(card.group));
        if (group && !card.decision) card.refresh(group);
      }
    }
    this.counts(found);
  }

  /** @param {Card} card @param {NewDecision} decision */
  decided(card, decision) {
    const [key] = this.queue.add([decision]);
    card.key = key;
    this.last.add([key], card);
    this.shift(1);
    this.walk.current = card;
    this.walk.advance();
    const cards = this.cards();
    if (this.next && cards.length - cards.indexOf(card) < NEAR) this.load();
    if (decision.kind === "not-duplicates") this.queue.flush().then(() => this.part(card));
  }

  /** @param {Card} card */
  undone(card) {
    if (card.key !== null) this.queue.undo([card.key]);
    this.last.drop(card);
    this.blockOf(card)?.join(card);
    this.shift(-1);
  }

  // Undo the last decision, or the last that were accepted at once.
  async undoLast() {
    const undone = await this.last.undo();
    if (!undone) return false;
    const { cards, keys } = undone;
    for (const card of this.cards()) {
      if (!cards.includes(card) && !keys.includes(String(card.key))) continue;
      this.blockOf(card)?.join(card);
      card.reopen("");
      this.walk.current = card;
    }
    if (!cards.length) this.changed();
    if (!cards.length) this.show(this.state);
    else this.walk.current?.node.focus();
    say(t("cleanup.undone"));
    return true;
  }

  /**
   * Count decisions before the server has.
   * @param {number} by
   */
  shift(by) {
    if (!this.found) return;
    const { states } = this.found;
    states.undecided -= by;
    states.decided += by;
    for (const name of /** @type {const} */ (["undecided", "decided"])) fill(this.states, name, Math.max(0, states[name]));
  }

  /** @param {{ key: string, error: unknown }} refused */
  refused({ key, error }) {
    this.cards().find((card) => card.key === key)?.reopen(messageOf(error));
    this.last.forget(key);
    this.recount();
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
    if (!block || !card.decision) return;
    const found = await groupsOf({ ...this.values(), limit: PAGE, cursor: block.cursor }, this.rules.list).catch(() => null);
    if (found && card.decision) block.part(card, found.items);
  }

  cards() {
    return this.blocks.flatMap((block) => block.cards);
  }

  /**
   * Take decisions over many groups.
   * @param {NewDecision[]} decisions
   */
  accept(decisions) {
    this.last.add(this.queue.add(decisions), null);
    this.asked = null;
    say(t("cleanup.accepted", { count: decisions.length }));
    return this.show(this.state);
  }

  /** @param {string[]} rules */
  useRules(rules) {
    this.rules.set(rules);
    return this.show(this.state);
  }

  apply() {
    new ApplyDialog({ known: this.known, queue: this.queue, strictness: this.values().strictness, rules: this.rules.list,
      onChange: () => this.changed(), onClose: () => { if (this.asked === null) this.show(this.state); } }).open();
  }
}
