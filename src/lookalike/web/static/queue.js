// Decisions on their way to the server. Each stays in localStorage until the server has answered, so that none is lost
// when the browser or the server is killed. The server takes a repeated decision for the same one.

import { ask } from "./api.js";
import { isLost } from "./jobs.js";

/** @typedef {{ kind: api.DecisionKind, images: number[], chosen: number[] }} NewDecision */
/** @typedef {NewDecision & { key: string, sent?: boolean, undone?: boolean, undo?: undefined }} Waiting */
/** @typedef {{ key: string, undo: number }} Undoing */
/** @typedef {Waiting | Undoing} Entry */

const BATCH = 200; // decisions a request
const PAUSES = [1000, 2000, 5000, 10000]; // milliseconds between attempts while the server does not answer

export class Queue extends EventTarget {
  /** @param {string} database what the decisions are about: they must never reach another */
  constructor(database) {
    super();
    this.name = `decisions ${database}`;
    this.count = 0;
    /** @type {Promise<void> | null} */
    this.flushing = null;
    this.failures = 0; // attempts in a row that failed
    this.single = false; // send one at a time, to learn which is refused
    this.timer = 0;
    /** @type {Map<string, number>} */
    this.ids = new Map(); // of decisions that the server has stored, by key
  }

  /** @returns {Entry[]} */
  get entries() {
    try {
      return JSON.parse(localStorage.getItem(this.name) || "[]");
    } catch {
      return [];
    }
  }

  /** @param {Entry[]} entries */
  store(entries) {
    if (entries.length) localStorage.setItem(this.name, JSON.stringify(entries));
    else localStorage.removeItem(this.name);
  }

  /**
   * Keep decisions, and send them as soon as possible. Returns the key of each.
   * @param {NewDecision[]} decisions
   */
  add(decisions) {
    const added = decisions.map((one) => ({ ...one, key: this.key() }));
    this.store([...this.entries, ...added]);
    this.changed();
    this.flush();
    return added.map((one) => one.key);
  }

  key() {
    this.count += 1;
    return `${Date.now()}-${this.count}-${Math.random().toString(36).slice(2, 8)}`;
  }

  /**
   * Undo decisions: by key if this page made them, or by the server's id.
   * @param {(string | number)[]} decisions
   */
  undo(decisions) {
    let entries = this.entries;
    for (const one of decisions) {
      const waiting = typeof one === "string" ? entries.find((entry) => entry.key === one) : undefined;
      const id = typeof one === "number" ? one : this.ids.get(one);
      if (id !== undefined) entries.push({ key: this.key(), undo: id });
      else if (waiting && "sent" in waiting) waiting.undone = true; // the server may have stored it already
      else entries = entries.filter((entry) => entry !== waiting);
    }
    this.store(entries);
    this.changed();
    this.flush();
  }

  // Send what waits; resolves when nothing waits any more, or the server does not answer.
  flush() {
    clearTimeout(this.timer);
    this.flushing ||= this.sendAll().finally(() => { this.flushing = null; });
    return this.flushing;
  }

  async sendAll() {
    for (let entries = this.entries; entries.length; entries = this.entries) {
      const undoing = entries[0].undo !== undefined;
      const end = entries.findIndex((one) => (one.undo !== undefined) !== undoing);
      const batch = entries.slice(0, Math.min(this.single ? 1 : BATCH, end < 0 ? entries.length : end));
      try {
        if (undoing) await this.sendUndo(/** @type {Undoing[]} */ (batch));
        else await this.sendNew(/** @type {Waiting[]} */ (batch));
        this.failures = 0;
      } catch (error) {
        if (isLost(error)) return this.waitFor(error);
        if (batch.length === 1) this.refuse(batch[0], error);
        this.single = batch.length > 1;
      }
      this.changed();
    }
    this.single = false;
    return undefined;
  }

  /** @param {Undoing[]} batch */
  async sendUndo(batch) {
    await ask("/api/v1/decisions/undo", { json: { ids: batch.map((one) => one.undo) } });
    const keys = new Set(batch.map((one) => one.key));
    this.store(this.entries.filter((one) => !keys.has(one.key)));
  }

  /** @param {Waiting[]} batch */
  async sendNew(batch) {
    const keys = new Set(batch.map((one) => one.key));
    this.store(this.entries.map((one) => (keys.has(one.key) ? { ...one, sent: true } : one)));
    const decisions = batch.map(({ kind, images, chosen }) => ({ kind, images, chosen }));
    /** @type {{ items: api.Decision[] }} */
    const { items } = await ask("/api/v1/decisions", { json: { decisions } });
    batch.forEach((one, at) => { this.ids.set(one.key, items[at].id); });
    this.store(this.entries.flatMap((one) => {
      if (!keys.has(one.key)) return [one];
      return "undone" in one ? [{ key: one.key, undo: Number(this.ids.get(one.key)) }] : [];
    }));
  }

  /** @param {Entry} entry @param {unknown} error */
  refuse(entry, error) {
    this.store(this.entries.filter((one) => one.key !== entry.key));
    if (entry.undo !== undefined) return; // it was undone before
    this.dispatchEvent(new CustomEvent("refused", { detail: { key: entry.key, error } }));
  }

  /** @param {unknown} error */
  waitFor(error) {
    this.timer = setTimeout(() => this.flush(), PAUSES[Math.min(this.failures, PAUSES.length - 1)]);
    this.failures += 1;
    this.dispatchEvent(new CustomEvent("lost", { detail: { error } }));
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }
}
