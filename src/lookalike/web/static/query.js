// What a search sends, what an answer is kept by, and what is wrong with an address that cannot be searched for.

import { count } from "./dom.js";

/** @typedef {import("./address.js").State} State */

/** @param {Values} asked */
export const given = (asked) => Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== null));
/** @param {Values} asked */
export const keyOf = (asked) => JSON.stringify(Object.entries(given(asked)).sort());

/** @param {Values} asked @param {File} file */
export function formOf(asked, file) {
  const form = new FormData();
  form.append("file", file, file.name || "pasted.png");
  for (const [name, value] of Object.entries(given(asked))) form.append(name, String(value));
  return form;
}

/**
 * Why what the address asks for cannot be searched for, or "".
 * @param {State} state
 * @param {api.Info} known
 */
export function wrongIn(state, { bits }) {
  const [id, code, since] = ["id", "code", "since"].map((name) => state.get(name) || "");
  const digits = bits / 4;
  if (id && !state.number("id")) return `${quoted(id)} is not an image number. A link to similar images ends with ?id= and a number, such as ?id=7.`;
  if (!id && !/^[0-9a-f]+$/i.test(code)) return `${quoted(code)} is not a code. A code of this collection has ${digits} digits, each 0 to 9 or a to f.`;
  if (!id && code.length !== digits) {
    return `The code ${quoted(code)} has ${count(code.length, "digit")}; codes of this collection have ${digits}. Is it incomplete, or from another collection?`;
  }
  return since && Number.isNaN(Date.parse(since)) ? `${quoted(since)} is not a date. Write it like 2026-05-01.` : "";
}

/** @param {number} id */
export const gone = (id) => `There is no image ${id} in this collection. It may have been removed since this link was made.`;
const quoted = (/** @type {string} */ text) => `“${text.length > 40 ? `${text.slice(0, 40)}…` : text}”`;
