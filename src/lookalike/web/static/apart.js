// What was decided to be no duplicates: a line for each decision, the newest first, and the way back.

import { href } from "./address.js";
import { ask } from "./api.js";
import { button, make, say } from "./dom.js";
import { thumbnail } from "./tiles.js";

const PAGE = 50; // decisions that are asked for at once
const SHOWN = 8; // images of a decision

// How many there are.
export async function countApart() {
  return (await ask("/api/decisions", { values: { kind: "different", top: 1 } })).total;
}

export class Apart {
  // `write`: whether they can be undone; `told()` when one was.
  constructor({ write, told }) {
    Object.assign(this, { write, told });
    this.lines = make("div", { class: "block" });
    this.more = button("More", { class: "more", on: { click: () => this.load() } });
    this.node = make("div", { class: "groups" }, this.lines, this.more);
    this.next = null;
  }

  async load(signal) {
    const found = await ask("/api/decisions", { values: { kind: "different", top: PAGE, cursor: this.next }, signal });
    this.lines.append(...found.decisions.map((one) => this.line(one)));
    this.next = found.next;
    this.more.hidden = this.next === null;
    return found.total;
  }

  line(decision) {
    const images = [...decision.images].sort((one, other) => other.part - one.part);
    const pictures = images.filter((one) => one.id !== null).slice(0, SHOWN).map((one) => make(
      "a", { href: href("search", { id: one.id }), "aria-label": nameOf(one) },
      make("img", { src: thumbnail(one.id, 64), alt: "", width: 40, height: 40, loading: "lazy", title: one.path }),
    ));
    const day = new Date(decision.at).toLocaleDateString();
    const names = images.slice(0, 3).map(nameOf).join(", ") + (images.length > 3 ? " …" : "");
    const node = make(
      "article", { class: "group done", "aria-label": `No duplicates: ${names}` }, ...pictures,
      make("p", {}, make("span", { text: names }), make("span", { class: "soft", text: ` · ${day}` })), make("span", { class: "grow" }),
    );
    if (this.write) node.append(button("Undo", { on: { click: () => this.undo(decision, node) } }));
    return node;
  }

  async undo(decision, node) {
    try {
      await ask(`/api/decisions/${decision.id}`, { method: "DELETE" });
      node.remove();
      say("Undone: they may be in a group again");
      this.told();
    } catch (error) {
      node.append(make("p", { class: "problem", role: "alert", text: error.message }));
    }
  }
}

function nameOf(image) {
  return image.path.split(/[\\/]/).at(-1);
}
