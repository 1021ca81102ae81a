// A group of copies as a card: the picture that stays first, what each copy differs in, and buttons to decide.

import { compare } from "./compare.js";
import { ask } from "./api.js";
import { alertLine, button, bytes, focused, make, present, say } from "./dom.js";
import { t } from "./text.js";
import { fileName, labels, sizeOf, thumbnail } from "./tiles.js";
import { showImage } from "./viewer.js";

/** @typedef {import("./queue.js").NewDecision} NewDecision */
/** @typedef {{ write: boolean, onDecide: (card: Card, decision: NewDecision) => unknown, onUndo: (card: Card) => unknown }} CardOptions */

const SHOWN = 12; // images of a group that are drawn before somebody asks for more
const LARGE = 50; // a larger group has a warning

export class Card {
  /** @param {api.Group} group @param {CardOptions} options */
  constructor(group, options) {
    this.options = options;
    /** @type {NewDecision | null} */
    this.decision = null; // made on this card
    /** @type {string | number | null} */
    this.key = null; // what undoes it: the queue's key, or the server's id
    this.all = false; // all images are drawn
    this.group = group;
    /** @type {api.GroupImage[]} */
    this.images = [];
    /** @type {Set<number>} */
    this.marked = new Set(); // those that stay
    this.touched = false; // somebody marked images
    this.problem = alertLine("");
    this.node = make("article", { class: "group", tabindex: "-1" });
    this.update(group);
  }

  /**
   * Show what is known of the group now; marks that a person has set stay.
   * @param {api.Group} group
   */
  update(group) {
    this.group = group;
    const isBest = (/** @type {api.GroupImage} */ one) => Number(one.id === group.best);
    this.images = [...group.images].sort((one, other) => isBest(other) - isBest(one)); // the best first
    if (!this.touched) this.marked = new Set(this.images.filter((one) => one.action === "keep").map((one) => one.id));
    if (group.state !== "undecided" && group.decision !== null) this.key = group.decision;
    this.draw();
  }

  // Whether all files are identical: then they are copies, whatever anybody decides.
  get exact() {
    return this.images.every((one) => one.id === this.group.best || one.relation === "exact");
  }

  /**
   * Show what is known now, unless somebody is at work on the card.
   * @param {api.Group} group
   */
  refresh(group) {
    if (!this.node.contains(focused())) this.update(group);
  }

  get best() {
    return this.images.find((one) => one.id === this.group.best) || this.images[0];
  }

  get writable() {
    return this.options.write && !this.decision;
  }

  // The decision that the card proposes, or that was marked on it.
  get proposal() {
    return this.newDecision("keep", [...this.marked]);
  }

  /** @param {api.DecisionKind} kind @param {number[]} chosen @returns {NewDecision} */
  newDecision(kind, chosen) {
    return { kind, images: this.images.map((one) => one.id), chosen };
  }

  draw() {
    this.node.setAttribute("aria-label", this.said());
    this.node.classList.toggle("done", this.decision !== null);
    this.node.dataset.kind = this.decision?.kind || "";
    this.node.replaceChildren(...present([this.head(), this.list(), this.options.write ? this.foot() : null]));
  }

  said() {
    const state = this.group.state === "undecided" ? "" : `, ${t(`cleanup.state.${this.group.state}`)}`;
    return `${t("cleanup.copies", { count: this.images.length })}${state}; ${t("cleanup.best")}: ${this.best.name}, ${this.group.why}`;
  }

  head() {
    const { freed } = this.group;
    return make(
      "header", {},
      make("h2", { text: t("cleanup.copies", { count: this.images.length }) }),
      freed ? make("span", { class: "soft", text: t("cleanup.frees", { bytes: bytes(freed) }) }) : null,
      this.images.length > LARGE ? make("p", { class: "soft", text: t("cleanup.large") }) : null,
      make("span", { class: "grow" }),
      button(t("cleanup.compare"), { sign: "compare", class: "plain", on: { click: () => this.compare() } }),
    );
  }

  list() {
    const shown = this.all ? this.images : this.images.slice(0, SHOWN);
    const list = make("ul", { class: "copies", "aria-label": t("cleanup.images") }, ...shown.map((one, at) => this.copy(one, at)));
    const rest = this.images.length - shown.length;
    if (rest) {
      const more = () => { this.all = true; this.draw(); };
      list.append(make("li", { class: "rest" }, button(t("cleanup.more", { count: rest }), { on: { click: more } })));
    }
    return list;
  }

  /** @param {api.GroupImage} image @param {number} at */
  copy(image, at) {
    const kept = this.marked.has(image.id);
    const best = image.id === this.group.best;
    const picture = make("img", {
      src: thumbnail(image, 512), alt: "", loading: "lazy", decoding: "async", draggable: "false",
      on: { error: () => { picture.classList.add("broken"); frame.classList.add("unread"); } },
    });
    const frame = make("span", { class: "frame", data: { unread: t("cleanup.unread") } }, picture);
    const fate = t(kept ? "cleanup.keep" : "cleanup.remove");
    const says = [image.name, best ? `${t("cleanup.best")}: ${this.group.why}` : image.words, this.writable ? fate : t("cleanup.enlarge")];
    const pick = make("button", {
      type: "button", class: "pick", "aria-label": says.join(", "), title: image.path, data: { id: image.id },
      "aria-pressed": this.writable ? String(kept) : null,
      on: { click: () => (this.writable ? this.toggle(image.id) : showImage(this.images, at)) },
    }, frame, make("span", { class: "fate", text: fate }));
    const item = make("li", { class: `copy${best ? " best" : ""}${kept ? " kept" : ""}` }, pick, ...this.words(image, best));
    item.append(make("span", { class: "actions" }, ...this.actions(image, at)));
    return item;
  }

  /** @param {api.GroupImage} image @param {boolean} best */
  words(image, best) {
    const relation = best ? make("span", { class: "why", text: this.group.why })
      : make("span", { class: `tier ${image.relation}`, text: image.words });
    return present([
      make("span", { class: "caption" }, relation),
      make("span", { class: "name place", title: image.path }, this.differing(image, (one) => `${one.folder || t("cleanup.top")}/`), fileName(image)),
      make("span", { class: "name" }, ...this.facts(image)),
      image.loses.length ? make("span", { class: "name loses", text: t("cleanup.loses", { what: image.loses.join(", ") }) }) : null,
    ]);
  }

  /**
   * A fact of an image; in bold if it differs from that of the best copy.
   * @param {api.GroupImage} image
   * @param {(image: api.GroupImage) => string | null | undefined} of
   */
  differing(image, of) {
    const text = of(image);
    return text && text !== of(this.best) ? make("b", { text }) : text;
  }

  /**
   * Pixels, size, format and label of an image.
   * @param {api.GroupImage} image
   * @returns {Child[]}
   */
  facts(image) {
    const found = [sizeOf, (/** @type {api.GroupImage} */ one) => bytes(one.size), (/** @type {api.GroupImage} */ one) => one.format, labels];
    return found.map((of) => this.differing(image, of)).filter(Boolean).flatMap((one, at) => (at ? [" · ", one] : [one]));
  }

  /** @param {api.GroupImage} image @param {number} at */
  actions(image, at) {
    const isBest = image.id === this.group.best;
    return present([
      this.writable && this.images.length > 2 && !this.hasTwin(image)
        ? button(t("cleanup.apart"), { class: "apart", on: { click: () => this.decide("not-duplicates", [image.id]) } }) : null,
      isBest ? null : button(t("cleanup.compareBest"), { sign: "compare", quiet: true, on: { click: () => this.compare(image) } }),
      button(t("cleanup.enlarge"), { sign: "fit", quiet: true, on: { click: () => showImage(this.images, at) } }),
    ]);
  }

  /**
   * Whether another image of the group is an identical file.
   * @param {api.GroupImage} image
   */
  hasTwin(image) {
    if (image.id !== this.group.best) return image.relation === "exact";
    return this.images.some((one) => one.id !== image.id && one.relation === "exact");
  }

  foot() {
    this.problem = alertLine("");
    if (this.decision || this.key !== null) return make("footer", {}, make("p", { class: "told", text: this.told() }), make("span", { class: "grow" }),
      button(t("cleanup.undo"), { on: { click: () => this.undo() } }), this.problem);
    const go = (/** @type {api.DecisionKind} */ kind) => (/** @type {MouseEvent} */ event) => { if (event.detail < 2) this.decide(kind); };
    return make(
      "footer", {},
      button(this.choice(), { class: "main", disabled: this.marked.size === 0, on: { click: go("keep") } }),
      this.exact ? null : button(t("cleanup.notDuplicates"), { on: { click: go("not-duplicates") } }),
      button(t("cleanup.skip"), { on: { click: go("skip") } }),
      this.problem,
    );
  }

  // What the first button does.
  choice() {
    const { size } = this.marked;
    const rest = this.images.length - size;
    return rest === 0 ? t("cleanup.keepAll") : t("cleanup.keepSome", { kept: size, count: rest });
  }

  // What was decided.
  told() {
    const kind = this.decision?.kind || (this.group.state === "skipped" ? "skip" : "keep");
    if (kind === "not-duplicates" && this.decision?.chosen.length) return t("cleanup.setApart", { count: this.decision.chosen.length });
    if (kind !== "keep") return t(kind === "skip" ? "cleanup.state.skipped" : "cleanup.notDuplicates");
    return t("cleanup.kept", { kept: this.marked.size, count: this.images.length - this.marked.size });
  }

  /** @param {number} id */
  toggle(id) {
    if (!this.writable) return;
    if (!this.marked.delete(id)) this.marked.add(id);
    this.touched = true;
    const had = focused()?.dataset.id;
    this.draw();
    /** @type {HTMLElement | null} */
    const again = had ? this.node.querySelector(`[data-id="${had}"]`) : null;
    again?.focus();
  }

  toggleAll() {
    if (!this.writable) return;
    const all = this.marked.size < this.images.length;
    this.marked = new Set(all ? this.images.map((one) => one.id) : [this.group.best]);
    this.touched = true;
    this.draw();
    say(t(all ? "cleanup.allMarked" : "cleanup.bestMarked"));
  }

  /**
   * Decide, at once on the page; the server hears of it in time.
   * @param {api.DecisionKind} kind
   * @param {number[]} chosen those that are kept, or that are not duplicates of the others
   */
  decide(kind, chosen = kind === "keep" ? [...this.marked] : []) {
    if (!this.writable || this.key !== null || (kind === "keep" && !chosen.length)) return;
    if (kind === "not-duplicates" && this.exact) {
      this.problem.textContent = t("cleanup.identical");
      return;
    }
    this.decision = this.newDecision(kind, chosen);
    this.options.onDecide(this, this.decision);
    this.draw();
  }

  undo() {
    this.options.onUndo(this);
    this.reopen("");
    this.node.focus({ preventScroll: true });
  }

  /**
   * Be undecided again, with a problem to show or none.
   * @param {string} problem
   */
  reopen(problem) {
    this.decision = null;
    this.key = null;
    Object.assign(this.group, { state: "undecided", decision: null });
    this.draw();
    this.problem.textContent = problem;
  }

  /**
   * Compare the best with the others, beginning with one of them.
   * @param {api.GroupImage | null} image
   */
  async compare(image = null) {
    const known = await ask(`/api/v1/images/${this.best.id}`).catch(() => this.best);
    const others = this.images.filter((one) => one.id !== this.best.id);
    const at = image ? others.findIndex((one) => one.id === image.id) : 0;
    compare({ ...known, url: thumbnail(this.best, 640) }, others, Math.max(0, at), { names: [t("cleanup.best"), t("cleanup.copy")] });
  }
}
