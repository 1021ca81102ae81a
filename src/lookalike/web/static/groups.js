// Requests for groups of copies, and the rules for which copy stays.

import { withValues } from "./address.js";
import { wait } from "./api.js";

const MOST = 500; // groups a request, where all are read

/**
 * @typedef {{ strictness: string, state?: api.GroupState | null, relation?: string | null, cursor?: string | null, limit?: number }} GroupValues
 * @typedef {{ signal?: AbortSignal, onProgress?: (done: number, total: number) => unknown }} Waits
 */

/**
 * A page of groups, as soon as the server has compared the images.
 * @param {GroupValues} values
 * @param {string[]} rules
 * @param {Waits} waits
 * @returns {Promise<api.Groups>}
 */
export function groupsOf(values, rules, waits = {}) {
  const path = withValues("/api/v1/groups", values);
  return wait([path, ...rules.map((rule) => `prefer=${encodeURIComponent(rule)}`)].join("&"), waits);
}

/**
 * All groups of a choice.
 * @param {GroupValues} values
 * @param {string[]} rules
 * @param {AbortSignal} [signal]
 */
export async function allGroups(values, rules, signal) {
  /** @type {api.Group[]} */
  const found = [];
  /** @type {string | null} */
  let cursor = null;
  do {
    /** @type {api.Groups} */
    const page = await groupsOf({ ...values, cursor, limit: MOST }, rules, { signal });
    found.push(...page.items);
    cursor = page.next;
  } while (cursor !== null);
  return found;
}

// The rules, in the order that they apply, kept in this browser for one database.
export class Rules {
  /** @param {string} database */
  constructor(database) {
    this.name = `rules ${database}`;
    /** @type {string[]} */
    this.list = [];
    try {
      this.list = JSON.parse(localStorage.getItem(this.name) || "[]");
    } catch {
      // None are known.
    }
  }

  /** @param {string[]} list */
  set(list) {
    this.list = list;
    localStorage.setItem(this.name, JSON.stringify(list));
  }
}

/** @param {api.Group} group how many files of it can go */
export const removals = (group) => group.images.filter((one) => one.action === "remove");

/**
 * The decision to follow what is proposed for a group.
 * @param {api.Group} group
 * @returns {import("./queue.js").NewDecision}
 */
export function accepted(group) {
  const chosen = group.images.filter((one) => one.action === "keep").map((one) => one.id);
  return { kind: "keep", images: group.images.map((one) => one.id), chosen };
}
