// Asking the server. Whatever goes wrong becomes a `Failure` with a sentence to show.

import { askToken } from "./dialogs.js";

// An answer that is none: `message` is for people, `status` HTTP's number (0: no answer came).
export class Failure extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

// The path with values as its query; those that are null, undefined or empty are left out.
export function withValues(path, values = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  }
  return query.size ? `${path}?${query}` : path;
}

// The JSON of an answer. `json` or `form` is sent by POST. Asks for the token, once, where one is needed.
export async function ask(path, { values, json, form, method, signal } = {}) {
  return (await response(withValues(path, values), { json, form, method, signal })).answer;
}

// The same of an answer that is a picture: a Blob.
export async function askPicture(path, { form, signal } = {}) {
  return (await response(path, { form, signal })).answer;
}

// The answer of something that is made in the background, a Blob if it is a `file`; `onProgress(done, total)` is told
// meanwhile.
export async function wait(path, { values, signal, file = false, onProgress = () => {} } = {}) {
  for (let pause = 250; ; pause = Math.min(2000, pause * 1.3)) {
    const { answer, status } = await response(withValues(path, values), { signal, file });
    if (status !== 202) return answer;
    onProgress(answer.done, answer.total);
    await sleep(pause, signal);
  }
}

// What the database holds and the server allows (/api/info); asked for once, and again with `fresh`.
export function info({ fresh = false } = {}) {
  if (fresh || !info.held) info.held = ask("/api/info").catch((error) => { info.held = null; throw error; });
  return info.held;
}

// Whether an error only says that somebody went elsewhere meanwhile.
export const isAbort = (error) => error instanceof DOMException && error.name === "AbortError";

async function response(url, { json, form, method, signal, file = false }, again = true) {
  const body = json === undefined ? form : JSON.stringify(json);
  const headers = json === undefined ? {} : { "Content-Type": "application/json" };
  let found;
  try {
    found = await fetch(url, { method: method || (body ? "POST" : "GET"), body, headers, signal });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Failure("The server does not answer. Does it still run? Start it with: lookalike serve");
  }
  if (found.status === 401 && again) {
    await askToken();
    return response(url, { json, form, method, signal, file }, false);
  }
  return { answer: await read(found, file && found.status === 200), status: found.status };
}

async function read(found, file) {
  if (file) return found.blob();
  if (found.ok && found.headers.get("Content-Type")?.startsWith("image/")) return found.blob();
  let answer;
  try {
    answer = await found.json();
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Failure(`The server answered what is no JSON (${found.status} ${found.statusText})`, found.status);
  }
  if (!found.ok) throw new Failure(sentence(answer.error ? answer.error.message : found.statusText), found.status);
  return answer;
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => { clearTimeout(timer); reject(new DOMException("left", "AbortError")); };
    const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve(); }, milliseconds);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
}
