// A group of images that look alike, as a card: the best copy outlined, what is kept marked, and buttons to decide.

import { ask } from "./api.js";
import { compare } from "./compare.js";
import { alertLine, button, bytes, count, focused, make, messageOf, present, say } from "./dom.js";
import { action, fileName, labels, shape, sizeOf, thumbnail } from "./tiles.js";
import { showImage } from "./viewer.js";

/** @typedef {{ bits: number, write: boolean, onDecision: (card: Card) => unknown }} CardOptions */
/** @typedef {api.Decision & { chosen: number[] }} Decided */

const SHOWN = 24; // images of a group that are drawn before somebody asks for more
const SIDE = 168; // CSS pixels of a picture's height
const LARGE = 50; // a larger group has a warning
const EXACT = "These files are identical, so they are duplicates. Keep them all, or skip this group.";
/** @type {Record<api.DecisionKind, string>} */
const WORDS = { keep: "Decided", different: "Not duplicates", later: "Skipped" };
/** @type {Record<api.GroupState, string>} */
const STATES = { undecided: "", decided: "decided", later: "skipped" };

export class Card {
  /**
   * @param {api.Group} group
   * @param {CardOptions} options
   */
  constructor(group, { bits, write, onDecision }) {
    this.bits = bits;
    this.write = write;
    this.onDecision = onDecision;
    /** @type {Decided | null} */
    this.decision = null;
    this.busy = false;
    this.all = false; // all images are drawn
    this.group = group;
    /** @type {api.Member[]} */
    this.images = [];
    /** @type {Set<number>} */
    this.marked = new Set();
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
    const isBest = (/** @type {api.Member} */ one) => Number(one.id === group.best);
    this.images = [...group.images].sort((one, other) => isBest(other) - isBest(one)); // the best first
    const ids = new Set(this.images.map((one) => one.id));
    const kept = group.kept.length ? group.kept : [group.best];
    this.marked = new Set(this.marked.size ? [...this.marked].filter((id) => ids.has(id)) : kept);
    this.draw();
  }

  // Whether all files are identical: then they are copies, whatever anybody decides.
  get exact() {
    return this.images.every((one) => one.id === this.group.best || one.tier === "same bytes");
  }

  get best() {
    return this.images.find((one) => one.id === this.group.best) || this.images[0];
  }

  draw() {
    this.node.setAttribute("aria-label", this.said());
    this.node.classList.toggle("done", this.decision !== null);
    if (this.decision) this.node.replaceChildren(...this.line(this.decision));
    else this.node.replaceChildren(this.head(), this.list(), ...(this.write ? [this.foot()] : []));
  }

  said() {
    const state = STATES[this.group.state];
    return `Group of ${count(this.images.length, "image")}${state ? `, ${state}` : ""}; best: ${this.best.name}, ${this.group.why}`;
  }

  head() {
    const state = STATES[this.group.state];
    return make(
      "header", {},
      make("h2", { text: count(this.images.length, "image") }),
      make("p", { class: "why" }, make("span", { class: "mark", text: "Best" }), make("span", { text: ` ${this.group.why}` })),
      state ? make("span", { class: "state", text: state }) : null,
      this.images.length > LARGE ? make("p", { class: "soft small", text: "A large group: check it closely." }) : null,
      make("span", { class: "grow" }),
      button("Compare", { sign: "compare", class: "plain", on: { click: () => this.compare() } }),
    );
  }

  list() {
    const shown = this.all ? this.images : this.images.slice(0, SHOWN);
    const list = make("ul", { class: "copies", "aria-label": "Copies" }, ...shown.map((one, at) => this.copy(one, at)));
    const rest = this.images.length - shown.length;
    if (rest) {
      const more = () => { this.all = true; this.draw(); };
      list.append(make("li", {}, button(`${rest} more`, { on: { click: more } })));
    }
    return list;
  }

  /** @param {api.Member} image @param {number} at */
  copy(image, at) {
    const kept = this.marked.has(image.id);
    const best = image.id === this.group.best;
    const picture = make("img", {
      src: thumbnail(image, 256), alt: "", loading: "lazy", decoding: "async", draggable: "false",
      on: { error: () => { picture.classList.add("broken"); frame.classList.add("unread"); } },
    });
    const frame = make("span", { class: "frame" }, picture);
    frame.style.aspectRatio = String(shape(image));
    frame.style.height = `${SIDE}px`;
    const press = this.write ? () => this.toggle(image.id) : () => showImage(this.images, at);
    const says = [image.name, best ? `best copy: ${this.group.why}` : image.words, this.write ? "keep" : "enlarge"];
    const pick = make("button", {
      type: "button", class: "pick", "aria-label": says.join(", "), title: image.path, data: { id: image.id },
      "aria-pressed": this.write ? String(kept) : null, on: { click: press },
    }, frame, this.write ? make("span", { class: "fate", text: kept ? "Keep" : "Remove" }) : null);
    const item = make("li", { class: `copy${best ? " best" : ""}${kept ? " kept" : ""}` }, pick, ...this.words(image, best));
    item.append(make("span", { class: "actions" }, ...this.actions(image, at)));
    return item;
  }

  /** @param {api.Member} image @param {boolean} best */
  words(image, best) {
    const facts = [sizeOf(image), bytes(image.size), labels(image)].filter(Boolean).join(" · ");
    const tier = image.tier === "kept" ? "near" : image.tier;
    const word = best ? make("span", { class: "mark", text: "Best" })
      : make("span", { class: `tier ${tier.replace(" ", "-")}`, text: image.words });
    return present([
      make("span", { class: "caption" }, word),
      make("span", { class: "name whole", text: fileName(image), title: image.path }),
      make("span", { class: "name", text: facts }),
      image.loses.length ? make("span", { class: "name", text: `removing it loses: ${image.loses.join(", ")}` }) : null,
    ]);
  }

  /**
   * Whether another image of the group is known to be an identical file.
   * @param {api.Member} image
   */
  hasTwin(image) {
    if (image.id !== this.group.best) return image.tier === "same bytes";
    return this.images.some((one) => one.id !== image.id && one.tier === "same bytes");
  }

  /** @param {api.Member} image @param {number} at */
  actions(image, at) {
    const found = [action("Enlarge", "info", () => showImage(this.images, at))];
    if (image.id !== this.group.best) found.unshift(action("Compare with the best", "compare", () => this.compare(image)));
    if (this.write && this.images.length > 2 && !this.hasTwin(image)) {
      found.push(action("Not a duplicate of the others", "close", () => this.decide("different", [image.id])));
    }
    return found;
  }

  foot() {
    const { size } = this.marked;
    const rest = this.images.length - size;
    const text = rest === 0 ? "Keep all" : `Keep ${size === 1 ? "this one" : `these ${size}`}, remove ${rest}`;
    this.problem = alertLine("");
    return make(
      "footer", {},
      button(text, { class: "main", disabled: size === 0, on: { click: () => this.decide("keep") } }),
      this.exact ? null : button("Not duplicates", { on: { click: () => this.decide("different") } }),
      button("Skip", { on: { click: () => this.decide("later") } }),
      this.problem,
    );
  }

  /**
   * What is left of a card once something was decided: a line with an undo button.
   * @param {Decided} decision
   */
  line({ kind, chosen }) {
    const apart = chosen.length ? `: ${count(chosen.length, "image")} set apart` : "";
    const kept = kind === "keep" ? `: ${this.marked.size} of ${count(this.images.length, "image")} kept` : apart;
    return [
      make("img", { src: thumbnail(this.best, 64), alt: "", width: 28, height: 28 }),
      make("p", {}, make("b", { text: WORDS[kind] }), `${kept} · `, make("span", { class: "soft", text: this.best.name })),
      make("span", { class: "grow" }),
      button("Undo", { on: { click: () => this.undo() } }),
    ];
  }

  /** @param {number} id */
  toggle(id) {
    if (!this.marked.delete(id)) this.marked.add(id);
    const had = focused()?.dataset.id;
    this.draw();
    /** @type {HTMLElement | null} */
    const again = had ? this.node.querySelector(`[data-id="${had}"]`) : null;
    again?.focus();
  }

  toggleAll() {
    if (this.decision) return;
    const all = this.marked.size < this.images.length;
    this.marked = new Set(all ? this.images.map((one) => one.id) : [this.group.best]);
    this.draw();
    say(all ? "All images are marked to keep" : "Only the best image is marked to keep");
  }

  /**
   * Decide, and leave a line in the card's place.
   * @param {api.DecisionKind} kind
   * @param {number[]} chosen those that are kept, or that are not duplicates of the others
   */
  async decide(kind, chosen = kind === "keep" ? [...this.marked] : []) {
    if (!this.write || this.decision || this.busy || (kind === "keep" && !chosen.length)) return;
    if (kind === "different" && this.exact) {
      this.problem.textContent = EXACT;
      return;
    }
    this.busy = true;
    try {
      const images = this.images.map((one) => one.id);
      this.decision = { ...await ask("/api/decisions", { json: { kind, images, chosen } }), chosen };
      this.draw();
      say(`${WORDS[kind]}. Press U to undo`);
      this.onDecision(this);
    } catch (error) {
      this.problem.textContent = messageOf(error);
    } finally {
      this.busy = false;
    }
  }

  async undo() {
    if (!this.decision || this.busy) return;
    this.busy = true;
    try {
      await ask(`/api/decisions/${this.decision.id}`, { method: "DELETE" });
      this.decision = null;
      this.draw();
      this.node.focus();
      say("Undone");
      this.onDecision(this);
    } finally {
      this.busy = false;
    }
  }

  /**
   * Compare the best with the others, beginning with one of them.
   * @param {api.Member | null} image
   */
  async compare(image = null) {
    const known = await ask(`/api/images/${this.best.id}`).catch(() => this.best);
    const others = this.images.filter((one) => one.id !== this.best.id).map((one) => ({ ...one, bits: this.bits }));
    const at = image ? others.findIndex((one) => one.id === image.id) : 0;
    compare({ ...known, url: thumbnail(this.best, 640) }, others, Math.max(0, at), { names: ["Best", "Copy"] });
  }
}
