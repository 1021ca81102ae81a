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

/**
 * Save rows as a CSV file.
 * @param {(string | number)[][]} rows the first has the names of the columns
 * @param {string} name
 */
export function saveCsv(rows, name) {
  const cell = (/** @type {string | number} */ value) => (typeof value === "number" ? String(value) : `"${value.replaceAll('"', '""')}"`);
  const lines = rows.map((row, at) => row.map(at ? cell : String).join(","));
  saveAs(new Blob([`${lines.join("\r\n")}\r\n`], { type: "text/csv" }), name);
}
