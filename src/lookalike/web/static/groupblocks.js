// Pages of groups, of which only those near what is in sight are in the document; the others keep their height.

import { make } from "./dom.js";
import { Card } from "./groupcard.js";

/** @typedef {import("./groupcard.js").CardOptions} CardOptions */

export const AHEAD = "1500px 0px"; // how far out of sight a page is drawn

// One page.
export class Block {
  /**
   * @param {CardOptions} page what its cards need
   * @param {api.Group[]} groups
   * @param {string | null} cursor where it begins
   */
  constructor(page, groups, cursor) {
    this.cursor = cursor;
    this.page = page;
    this.drawn = false;
    /** @type {Map<Card, Card[]>} */
    this.rest = new Map(); // cards of what a group fell into, by its card
    this.node = make("section", { class: "block" });
    this.cards = groups.map((group) => new Card(group, page));
    this.draw();
  }

  draw() {
    if (this.drawn) return;
    this.drawn = true;
    this.node.style.minHeight = "";
    this.node.replaceChildren(...this.cards.map((card) => card.node));
  }

  /**
   * Put cards of the groups that a card's group has fallen into behind it.
   * @param {Card} card
   * @param {api.Group[]} groups
   */
  part(card, groups) {
    const ids = new Set(card.images.map((one) => one.id));
    const found = groups.filter((group) => group.images.every((one) => ids.has(one.id)));
    const rest = found.map((group) => new Card(group, this.page));
    this.cards.splice(this.cards.indexOf(card) + 1, 0, ...rest);
    card.node.after(...rest.map((one) => one.node));
    this.rest.set(card, rest);
  }

  /**
   * Undo `part`: what a card's group has fallen into is one group again.
   * @param {Card} card
   */
  join(card) {
    const rest = this.rest.get(card) || [];
    this.rest.delete(card);
    for (const one of rest) one.node.remove();
    this.cards = this.cards.filter((one) => !rest.includes(one));
  }

  drop() {
    if (!this.drawn || this.node.contains(document.activeElement)) return;
    this.drawn = false;
    this.node.style.minHeight = `${this.node.offsetHeight}px`;
    this.node.replaceChildren();
  }
}

// Draws the pages of a list that come near, and drops those that are far.
export class Sight {
  /** @param {Block[]} blocks */
  constructor(blocks) {
    this.blocks = blocks;
    this.observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) this.seen(target, isIntersecting);
    }, { rootMargin: AHEAD });
  }

  /** @param {Block} block */
  add(block) {
    this.blocks.push(block);
    this.observer.observe(block.node);
  }

  clear() {
    for (const block of this.blocks.splice(0)) this.observer.unobserve(block.node);
  }

  /** @param {Element} node @param {boolean} near */
  seen(node, near) {
    const block = this.blocks.find((one) => one.node === node);
    if (!block || node.closest("[hidden]")) return; // another tab is shown
    if (near) block.draw();
    else block.drop();
  }
}

/**
 * What a group is known by: its images.
 * @param {api.Group} group
 */
export function keyOf(group) {
  return group.images.map((one) => one.id).join(" ");
}
