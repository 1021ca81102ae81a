// What the pages ask the server for, in one place: searches, images, labels, folders.

import { ask, wait } from "./api.js";

const MOST = 1000, FEW = 100; // hits of one search, and of each of several
const KEPT = 20; // answers
/** @type {Map<string, api.Answer>} */
const answers = new Map(); // by the question

/** @param {Values} asked */
export const keyOf = (asked) => JSON.stringify(Object.entries(given(asked)).sort());
/** @param {Values} values */
const given = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== ""));

/**
 * The answer to a search for a file, or for the `id` or `code` among the values; asked once.
 * @param {Values} asked
 * @param {{ file?: File, signal?: AbortSignal }} options
 */
export async function search(asked, { file, signal } = {}) {
  const key = keyOf(asked);
  const known = answers.get(key);
  if (known) return known;
  const answer = await sendSearch(asked, file, signal);
  keep(key, answer);
  return answer;
}

/**
 * The answer to a search for a file that is not known yet; it is kept under its code, too.
 * @param {File} file
 * @param {AbortSignal} [signal]
 */
export async function searchFile(file, signal) {
  const answer = await sendSearch({}, file, signal);
  keep(keyOf({ code: answer.query.code }), answer);
  return answer;
}

/**
 * The answers for several files, in one request, each with its nearest hits only; one that cannot be read has an `error`.
 * @param {File[]} files
 */
export function searchFiles(files) {
  return sendFiles({ top: FEW }, files);
}

/** @param {Values} asked @param {File} [file] @param {AbortSignal} [signal] @returns {Promise<api.Answer>} */
async function sendSearch(asked, file, signal) {
  const values = { ...given(asked), top: MOST };
  const [answer] = file ? await sendFiles(values, [file], signal) : whole(await ask("/api/v1/search", { json: values, signal }));
  return answer;
}

/** @param {Values} values @param {File[]} files @param {AbortSignal} [signal] */
async function sendFiles(values, files, signal) {
  const form = new FormData();
  for (const file of files) form.append("image", file, file.name || "pasted.png");
  for (const [name, value] of Object.entries(values)) if (name !== "code") form.append(name, String(value));
  return whole(await ask("/api/v1/search", { form, signal }));
}

/** @param {{ answers: api.Answer[], images: number, seconds: number }} found @returns {api.Answer[]} */
const whole = ({ answers: some, images: total, seconds }) => some.map((answer) => ({ ...answer, images: total, seconds }));

/** @param {string} key @param {api.Answer} answer */
function keep(key, answer) {
  answers.delete(key);
  answers.set(key, answer);
  if (answers.size > KEPT) answers.delete(String(answers.keys().next().value));
}

/** @typedef {api.Hit & { also?: number }} Hit `also`: further files with the same bytes */

/**
 * Hits of which those with the same bytes are one.
 * @param {api.Hit[]} hits
 * @returns {Hit[]}
 */
export function folded(hits) {
  /** @type {Map<string, Hit>} */
  const first = new Map();
  for (const hit of hits) {
    const version = hit.thumbnail.slice(hit.thumbnail.indexOf("?"));
    const known = first.get(version);
    if (known) known.also = (known.also || 0) + 1;
    else first.set(version, { ...hit, also: 0 });
  }
  return [...first.values()];
}

addEventListener("collectionchange", () => answers.clear());

/**
 * A page of the collection's images.
 * @param {Values} values
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ items: api.Image[], total: number }>}
 */
export function images({ below = null, ...values }, signal) {
  return wait("/api/v1/images", { values: { folder: below, ...values }, signal });
}

/**
 * The images of some ids, in their order.
 * @param {number[]} ids
 * @returns {Promise<api.Image[]>}
 */
export async function imagesOf(ids) {
  return (await images({ ids: ids.join(","), limit: ids.length })).items;
}

/**
 * What is known of an image.
 * @param {number} id
 * @param {AbortSignal} [signal]
 * @returns {Promise<api.Details>}
 */
export function details(id, signal) {
  return ask(`/api/v1/images/${id}`, { signal });
}

/**
 * The labels with their numbers of images, the most frequent first.
 * @returns {Promise<{ label: string, images: number }[]>}
 */
export async function labelCounts() {
  const { items } = await ask("/api/v1/labels", { values: { limit: 1000 } });
  return items.sort((/** @type {{ images: number }} */ a, /** @type {{ images: number }} */ b) => b.images - a.images);
}

/**
 * The folders, each before those in it.
 * @returns {Promise<{ path: string, name: string, depth: number, images: number }[]>}
 */
export async function folders() {
  return (await ask("/api/v1/folders", { values: { limit: 1000 } })).items;
}

/**
 * Give images a label.
 * @param {number[]} ids
 * @param {string | null} label
 */
export function setLabel(ids, label) {
  return ask("/api/v1/labels", { json: { ids, label } });
}

/**
 * What an image `b` of the collection is to another, `a`: how they are aligned, and what each has that the other lacks.
 * @param {number} a
 * @param {number} b
 * @param {AbortSignal} signal
 * @returns {Promise<api.Comparison>}
 */
export function comparison(a, b, signal) {
  return ask("/api/v1/comparison", { values: { a, b }, signal });
}
