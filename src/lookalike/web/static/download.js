// Files that the page makes.

import { make } from "./dom.js";

/**
 * Download a blob under a name.
 * @param {Blob} blob
 * @param {string} name
 */
export function saveAs(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
