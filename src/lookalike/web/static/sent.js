// Files that were searched for, by code: themselves until the page is loaded anew, their thumbnails as long as the
// browser's tab is open. The server keeps none.

import { make } from "./dom.js";

const SIDE = 480; // pixels
const held = new Map(); // by code

// Keep what can be shown of a file. `query`: as a search answers it.
export function remember(file, { code, width, height, format }) {
  const about = { name: file.name || "Pasted image", width, height, format, size: file.size };
  held.set(code, { ...about, file, url: URL.createObjectURL(file) });
  keep(code, about, held.get(code).url);
}

// The same, or {} if it is not known any more. `file` itself is there until the page is loaded anew.
export function recall(code) {
  try {
    return held.get(code) || JSON.parse(sessionStorage.getItem(`sent ${code}`)) || {};
  } catch {
    return {};
  }
}

// A small copy that outlives a reload.
async function keep(code, about, url) {
  try {
    const image = make("img", { src: url });
    await image.decode();
    const scale = Math.min(1, SIDE / Math.max(image.naturalWidth, image.naturalHeight));
    const canvas = make("canvas", { width: Math.ceil(image.naturalWidth * scale), height: Math.ceil(image.naturalHeight * scale) });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    sessionStorage.setItem(`sent ${code}`, JSON.stringify({ ...about, url: canvas.toDataURL("image/jpeg", 0.8) }));
  } catch {
    // The browser cannot show it, or keeps nothing more; then a reload shows the code alone.
  }
}
