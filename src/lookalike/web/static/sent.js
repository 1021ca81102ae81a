// Files that were searched for, by code: themselves until the page is reloaded, their previews as long as the browser's
// tab is open. The server keeps none.

import { ask } from "./api.js";
import { make } from "./dom.js";
import { t } from "./text.js";

const SIDE = 480; // pixels
/** @type {Map<string, Shown & { file: File, url: string | null }>} */
const held = new Map(); // by code

/**
 * The address of a picture of a file: the file itself, or, if the browser cannot show it (HEIC, TIFF …), what the server
 * decoded; null if neither can.
 * @param {File} file
 */
export async function previewOf(file) {
  const url = URL.createObjectURL(file);
  try {
    await make("img", { src: url }).decode();
    return url;
  } catch {
    URL.revokeObjectURL(url);
  }
  const form = new FormData();
  form.append("image", file, file.name || "pasted.png");
  /** @type {Blob | null} */
  const decoded = await ask("/api/v1/preview", { form }).catch(() => null);
  return decoded && URL.createObjectURL(decoded);
}

/**
 * Keep what can be shown of a file.
 * @param {File} file
 * @param {api.Asked} query as a search answers it
 * @param {string | null} url of its preview
 */
export function remember(file, { code, width, height, format }, url) {
  const about = { name: file.name || t("search.pasted"), width, height, format, size: file.size };
  held.set(code, { ...about, file, url });
  if (url) keep(code, about, url);
}

/**
 * The same, or {} if it is not known any more. `file` itself is there until the page is reloaded.
 * @param {string} code
 * @returns {Partial<Shown> & { file?: File }}
 */
export function recall(code) {
  try {
    return held.get(code) || JSON.parse(sessionStorage.getItem(`sent ${code}`) || "{}");
  } catch {
    return {};
  }
}

/**
 * Keep a small copy that outlives a reload.
 * @param {string} code
 * @param {Shown} about
 * @param {string} url
 */
async function keep(code, about, url) {
  try {
    const image = make("img", { src: url });
    await image.decode();
    const scale = Math.min(1, SIDE / Math.max(image.naturalWidth, image.naturalHeight));
    const canvas = make("canvas", { width: Math.ceil(image.naturalWidth * scale), height: Math.ceil(image.naturalHeight * scale) });
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    sessionStorage.setItem(`sent ${code}`, JSON.stringify({ ...about, url: canvas.toDataURL("image/jpeg", 0.8) }));
  } catch {
    // The browser cannot show it, or has no room left; then a reload shows no preview.
  }
}
