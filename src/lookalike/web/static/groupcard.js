// A group of images that look alike, as a card: the best copy outlined, what is kept marked, and buttons to decide.

import { ask } from "./api.js";
import { button, bytes, count, make, say } from "./dom.js";
import { action, labels, shape, thumbnail } from "./tiles.js";
import { compare, showImage } from "./viewer.js";

const SHOWN = 24; // images of a group that are drawn before somebody asks for more
const SIDE = 168; // CSS pixels of a picture's height
export const LARGE = 50; // a group of more is said to be looked at closely
const EXACT = "These have the same bytes, so they are duplicates. Keep them all, or put them off.";
const WORDS = { keep: "Decided", different: "No duplicates", later: "Put off" };

export class Card {
  // `group`: as /api/duplicates has it; `told(card)` when something was decided or undone.
  constructor(group, { bits, write, told }) {
    Object.assign(this, { bits, write, told, decision: null });
    this.node = make("article", { class: "group", tabindex: "-1" });
    this.update(group);
  }

  // Show what is known of the group now; marks that a person has set stay.
  update(group) {
    const marked = this.marked && this.marked.size ? this.marked : null;
    this.group = group;
    const isBest = (one) => Number(one.id === group.best);
    this.images = [...group.images].sort((one, other) => isBest(other) - isBest(one)); // the best first
    const ids = new Set(this.images.map((one) => one.id));
    this.marked = new Set(marked ? [...marked].filter((id) => ids.has(id)) : group.kept.length ? group.kept : [group.best]);
    this.draw();
  }

  // Whether no image can be set apart: what has the same bytes is a copy, whatever anybody decides.
  get exact() {
    return this.images.every((one) => one.id === this.group.best || one.tier === "same bytes");
  }

  get best() {
    return this.images.find((one) => one.id === this.group.best) || this.images[0];
  }

  draw() {
    this.node.setAttribute("aria-label", this.said());
    this.node.classList.toggle("done", this.decision !== null);
    if (this.decision) this.node.replaceChildren(...this.line());
    else this.node.replaceChildren(this.head(), this.list(), ...(this.write ? [this.foot()] : []));
  }

  said() {
    const state = { decided: ", decided", later: ", put off" }[this.group.state] || "";
    return `Group of ${count(this.images.length, "image")}${state}; best: ${this.best.name}, ${this.group.why}`;
  }

  head() {
    const state = { decided: "decided", later: "put off" }[this.group.state];
    return make(
      "header", {},
      make("h2", { text: count(this.images.length, "image") }),
      make("p", { class: "why" }, make("span", { class: "mark", text: "Best" }), make("span", { text: ` ${this.group.why}` })),
      state ? make("span", { class: "state", text: state }) : null,
      this.images.length > LARGE ? make("p", { class: "soft small", text: "A large group: look at it closely." }) : null,
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
    const says = [image.name, best ? `best copy: ${this.group.why}` : image.tier, this.write ? "keep" : "show large"];
    const pick = make("button", {
      type: "button", class: "pick", "aria-label": says.join(", "), title: image.path, data: { id: image.id },
      "aria-pressed": this.write ? String(kept) : null, on: { click: press },
    }, frame, this.write ? make("span", { class: "fate", text: kept ? "keep" : "may go" }) : null);
    const item = make("li", { class: `copy${best ? " best" : ""}${kept ? " kept" : ""}` }, pick, ...this.words(image, best));
    item.append(make("span", { class: "actions" }, ...this.actions(image, at)));
    return item;
  }

  words(image, best) {
    const size = image.width ? `${image.width} × ${image.height} · ${bytes(image.size)}` : bytes(image.size);
    const word = best ? make("span", { class: "mark", text: "Best" }) : this.tier(image);
    return [
      make("span", { class: "caption" }, word, make("span", { class: "soft", text: `${image.distance}/${this.bits}` })),
      make("span", { class: "name whole", text: image.name.split("/").at(-1), title: image.path }),
      make("span", { class: "name", text: [size, labels(image)].filter(Boolean).join(" · ") }),
      image.loses.length ? make("span", { class: "name", text: `loses: ${image.loses.join(", ")}` }) : null,
    ].filter(Boolean);
  }

  tier(image) {
    const word = image.tier === "kept" ? "near" : image.tier;
    return make("span", { class: `tier ${word.replace(" ", "-")}`, text: word });
  }

  // Whether another image of the group is known to have the same bytes.
  hasTwin(image) {
    if (image.id !== this.group.best) return image.tier === "same bytes";
    return this.images.some((one) => one.id !== image.id && one.tier === "same bytes");
  }

  actions(image, at) {
    const found = [action("Show large", "info", () => showImage(this.images, at))];
    if (image.id !== this.group.best) found.unshift(action("Compare with the best", "compare", () => this.compare(image)));
    if (this.write && this.images.length > 2 && !this.hasTwin(image)) {
      found.push(action("Not a duplicate of the others", "close", () => this.decide("different", [image.id])));
    }
    return found;
  }

  foot() {
    const { size } = this.marked;
    const text = size === this.images.length ? "Keep all" : size === 1 ? "Keep the marked one" : `Keep the ${size} marked`;
    this.problem = make("p", { class: "problem", role: "alert" });
    return make(
      "footer", {},
      button(text, { class: "main", disabled: size === 0, on: { click: () => this.decide("keep") } }),
      this.exact ? null
        : button(this.images.length > 2 ? "None is a duplicate" : "Not duplicates", { on: { click: () => this.decide("different") } }),
      button("Later", { on: { click: () => this.decide("later") } }),
      this.problem,
    );
  }

  // What is left of a card once something was decided: a line, and the way back.
  line() {
    const { kind } = this.decision;
    const apart = this.decision.chosen.length ? `: ${count(this.decision.chosen.length, "image")} set apart` : "";
    const kept = kind === "keep" ? `: ${count(this.marked.size, "image")} of ${this.images.length} kept` : apart;
    return [
      make("img", { src: thumbnail(this.best, 64), alt: "", width: 28, height: 28 }),
      make("p", {}, make("b", { text: WORDS[kind] }), `${kept} · `, make("span", { class: "soft", text: this.best.name })),
      make("span", { class: "grow" }),
      button("Undo", { on: { click: () => this.undo() } }),
    ];
  }

  toggle(id = Number(document.activeElement?.dataset.id)) {
    if (!this.images.some((one) => one.id === id) || !this.write) return false;
    if (!this.marked.delete(id)) this.marked.add(id);
    const had = document.activeElement?.dataset.id;
    this.draw();
    if (had) this.node.querySelector(`[data-id="${had}"]`)?.focus();
    return true;
  }

  toggleAll() {
    if (this.decision) return;
    const all = this.marked.size < this.images.length;
    this.marked = new Set(all ? this.images.map((one) => one.id) : [this.group.best]);
    this.draw();
    say(all ? "All marked to be kept" : "Only the best is marked");
  }

  // Decide, and leave a line in the card's place. `chosen`: those that are no duplicates of the others.
  async decide(kind, chosen = kind === "keep" ? [...this.marked] : []) {
    if (!this.write || this.decision || this.busy || (kind === "keep" && !chosen.length)) return false;
    if (kind === "different" && this.exact) {
      this.problem.textContent = EXACT;
      return false;
    }
    this.busy = true;
    try {
      const images = this.images.map((one) => one.id);
      this.decision = { ...await ask("/api/decisions", { json: { kind, images, chosen } }), chosen };
      this.draw();
      say(`${WORDS[kind]}. U undoes it`);
      this.told(this);
      return true;
    } catch (error) {
      this.problem.textContent = error.message;
      return false;
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
      this.told(this);
    } finally {
      this.busy = false;
    }
  }

  // Compare the best with the others, beginning with one of them.
  async compare(image = null) {
    const known = await ask(`/api/images/${this.best.id}`).catch(() => this.best);
    const others = this.images.filter((one) => one.id !== this.best.id).map((one) => ({ ...one, bits: this.bits }));
    const at = image ? others.findIndex((one) => one.id === image.id) : 0;
    compare({ ...known, url: thumbnail(this.best, 640) }, others, Math.max(0, at), { names: ["Best", "Copy"] });
  }
}
