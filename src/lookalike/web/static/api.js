// Requests to the server. Whatever goes wrong becomes a `Failure` with a sentence to show.

import { withValues } from "./address.js";
import { askToken } from "./dialogs.js";
import { t } from "./text.js";

/** @typedef {{ values?: Values, json?: unknown, form?: FormData, method?: string, signal?: AbortSignal, file?: boolean }} Request */

// A request that failed: `message` is for people, `status` is HTTP's (0: there was no answer).
export class Failure extends Error {
  /** @param {string} message */
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/**
 * The JSON of an answer, or a Blob if the answer is a picture. `json` or `form` is sent by POST. Asks for the token,
 * once, where one is needed.
 * @param {string} path
 * @param {Request} request
 * @returns {Promise<any>}
 */
export async function ask(path, request = {}) {
  return (await response(path, request)).answer;
}

/**
 * The answer to a request whose result is computed in the background: JSON, or a Blob if it is a `file`.
 * @param {string} path
 * @param {Request & { onProgress?: (done: number, total: number) => unknown }} request
 * @returns {Promise<any>}
 */
export async function wait(path, { onProgress = () => {}, ...request } = {}) {
  for (let pause = 250; ; pause = Math.min(2000, pause * 1.3)) {
    const { answer, status } = await response(path, request);
    if (status !== 202) return answer;
    onProgress(answer.done, answer.total);
    await sleep(pause, request.signal);
  }
}

/** @type {Promise<api.Info> | null} */
let known = null;

/**
 * What the database holds and the server allows (/api/v1/info); requested once, unless it must be `fresh`.
 * @returns {Promise<api.Info>}
 */
export function info({ fresh = false } = {}) {
  if (fresh) known = null;
  known ||= ask("/api/v1/info").catch((error) => { known = null; throw error; });
  return /** @type {Promise<api.Info>} */ (known);
}

/**
 * Whether an error only says that somebody went elsewhere meanwhile.
 * @param {unknown} error
 */
export const isAbort = (error) => error instanceof DOMException && error.name === "AbortError";

/**
 * @param {string} path
 * @param {Request} request
 * @returns {Promise<{ answer: any, status: number }>}
 */
async function response(path, request, again = true) {
  const { values, json, form, method, signal, file = false } = request;
  const body = json === undefined ? form : JSON.stringify(json);
  const headers = json === undefined ? undefined : { "Content-Type": "application/json" };
  let found;
  try {
    found = await fetch(withValues(path, values), { method: method || (body ? "POST" : "GET"), body, headers, signal });
  } catch (error) {
    if (isAbort(error)) throw error;
    dispatchEvent(new Event("serverlost"));
    throw new Failure(t("shell.lostShort"));
  }
  if (found.status === 401 && again) {
    await askToken();
    return response(path, request, false);
  }
  return { answer: await read(found, file && found.status === 200), status: found.status };
}

/** @param {Response} found @param {boolean} file */
async function read(found, file) {
  if (file) return found.blob();
  if (found.ok && found.headers.get("Content-Type")?.startsWith("image/")) return found.blob();
  let answer;
  try {
    answer = await found.json();
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Failure(t("shell.notJson", { status: found.status }), found.status);
  }
  if (!found.ok) throw new Failure(sentence(answer.error ? answer.error.message : found.statusText), found.status);
  return answer;
}

/** @param {string} text */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** @param {number} milliseconds @param {AbortSignal} [signal] @returns {Promise<void>} */
function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => { clearTimeout(timer); reject(new DOMException("left", "AbortError")); };
    const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve(); }, milliseconds);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
}
