// A row of buttons of which one is pressed, each with a place for a count.

import { make } from "./dom.js";
import { number } from "./text.js";

/**
 * @template {string} N
 * @param {readonly N[]} names
 * @param {(name: N) => string} text
 * @param {(name: N) => unknown} run
 */
export function choice(names, text, run) {
  return make("div", { class: "choice", role: "group" }, ...names.map((name) => make(
    "button", { type: "button", data: { name }, on: { click: () => run(name) } }, make("span", { text: text(name) }), make("span", { class: "total" }),
  )));
}

/** @param {HTMLElement} row @param {string} name the button to press */
export function press(row, name) {
  for (const one of /** @type {HTMLCollectionOf<HTMLElement>} */ (row.children)) one.setAttribute("aria-pressed", String(one.dataset.name === name));
}

/** @param {HTMLElement} row @param {string} name @param {number} total */
export function fill(row, name, total) {
  const found = row.querySelector(`[data-name="${name}"] .total`);
  if (found) found.textContent = number(total);
}
