// Elements. Text of files, labels and answers gets in as text (`text`, or a string child), never as markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. `given`: attributes; `text`; `on`: listeners by event; `style`: properties; `data`: data attributes.
 * A value of null, undefined or false sets nothing; true sets an empty attribute.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Given} given
 * @param {...Child} children
 */
export function make(tag, given = {}, ...children) {
  return filled(document.createElement(tag), given, children);
}

/**
 * The same for SVG.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Given} given
 * @param {...Child} children
 */
export function draw(tag, given = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), given, children);
}

/**
 * @template {HTMLElement | SVGElement} E
 * @param {E} node
 * @param {Given} given
 * @param {Child[]} children
 */
function filled(node, given, children) {
  const { text, on = {}, style = {}, data = {}, ...attributes } = given;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const [name, value] of Object.entries(style)) node.style.setProperty(name, value);
  for (const [name, value] of Object.entries(data)) node.dataset[name] = String(value);
  for (const [name, listener] of Object.entries(on)) node.addEventListener(name, listener);
  if (text !== undefined) node.textContent = text === null ? null : String(text);
  node.append(...present(children));
  return node;
}

/**
 * The values that are neither null nor undefined.
 * @template T
 * @param {(T | null | undefined)[]} values
 */
export function present(values) {
  return values.filter((value) => value !== null && value !== undefined);
}

/**
 * The element of an id, which must be in the document.
 * @param {string} id
 */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * The first element within `node` that a selector matches; there must be one.
 * @param {ParentNode} node
 * @param {string} selector
 */
export function within(node, selector) {
  return /** @type {HTMLElement} */ (node.querySelector(selector));
}

/**
 * What an event happened to.
 * @param {Event} event
 */
export function targetOf(event) {
  return /** @type {HTMLElement} */ (event.target);
}

// The element that has the focus.
export const focused = () => /** @type {HTMLElement | null} */ (document.activeElement);

const PATHS = {
  close: "M4 4l8 8M12 4l-8 8",
  compare: "M8 2v12M3 4h3v8H3zM10 4h3v8h-3z",
  open: "M6 3H3v10h10v-3M9 3h4v4M13 3L7.5 8.5",
  info: "M8 7.2v4M8 4.6v.4M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8z",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.4 10.4L14 14",
  upload: "M8 11V3M4.8 6L8 2.8 11.2 6M2.5 10.5v3h11v-3",
  download: "M8 3v8M4.8 8L8 11.2 11.2 8M2.5 10.5v3h11v-3",
  link: "M6.6 9.4a2.6 2.6 0 0 1 0-3.6l2-2a2.6 2.6 0 0 1 3.6 3.6l-1 1M9.4 6.6a2.6 2.6 0 0 1 0 3.6l-2 2a2.6 2.6 0 0 1-3.6-3.6l1-1",
  light: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  dark: "M13 9.6A5.6 5.6 0 1 1 6.4 3 4.5 4.5 0 0 0 13 9.6z",
  auto: "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12",
  keys: "M1.5 4h13v8h-13zM4 6.5h.5M7 6.5h.5M10 6.5h.5M4.5 9.5h7",
  left: "M10 3L5 8l5 5",
  right: "M6 3l5 5-5 5",
  shuffle: "M2 4h2.5l6 8H14M2 12h2.5l1.8-2.4M8.7 6.4L10.5 4H14M12 2l2 2-2 2M12 10l2 2-2 2",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  lasso: "M8 3C4.5 3 2 4.7 2 7s2.5 4 6 4 6-1.7 6-4-2.5-4-6-4zM5.5 10.6c-1 .6-1.2 1.6-.5 2.2s1.5.9 1 2",
  more: "M3 8h.1M8 8h.1M13 8h.1",
  cleanup: "M6.5 2.5h7v7h-7zM2.5 6.5v7h7M8.3 6l1.3 1.3 2.3-2.6",
  scenes: "M5 3.5h9v6.5H5zM2 6v7h9M7 8.5l1.8-2 1.5 1.3 1-1 2.2 2",
  browse: "M2.5 2.5h4.5v4.5H2.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5H2.5zM9 9h4.5v4.5H9z",
  map: "M2 4l4-1.5L10 4l4-1.5v9.5L10 13.5 6 12l-4 1.5zM6 2.5V12M10 4v9.5",
  care: "M8 13.5S2 10 2 6a3 3 0 0 1 6-1 3 3 0 0 1 6 1c0 4-6 7.5-6 7.5z",
  settings: "M2 4.5h7M12 4.5h2M9 3v3h3V3zM2 11.5h2M7 11.5h7M4 10v3h3v-3z",
  filter: "M2 4h12M4.5 8h7M6.5 12h3",
  folder: "M2 4.5h4l1.5 1.5H14v7H2z",
  check: "M3 8.5l3.2 3.2L13 5",
  full: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10M5.5 5.5h5v5h-5z",
  code: "M5.5 4.5L2 8l3.5 3.5M10.5 4.5L14 8l-3.5 3.5",
};
/** @typedef {keyof typeof PATHS} Sign */

/**
 * A small drawing next to words; one that stands alone needs an aria-label of its own.
 * @param {Sign} name
 */
export function icon(name) {
  return draw("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, draw("path", { d: PATHS[name] }));
}

/**
 * A button with an icon and a name; the name is shown unless `quiet`.
 * @param {string} name
 * @param {{ sign?: Sign, quiet?: boolean } & Given} options
 */
export function button(name, { sign, quiet = false, ...given } = {}) {
  const words = quiet ? null : make("span", { text: name });
  const said = quiet ? { "aria-label": name, title: given.title || name } : {};
  return make("button", { type: "button", ...said, ...given }, sign ? icon(sign) : null, words);
}

/**
 * A paragraph that says what went wrong.
 * @param {string} text
 */
export function alertLine(text) {
  return make("p", { class: "problem", role: "alert", text });
}

/**
 * The sentence of whatever was thrown.
 * @param {unknown} error
 */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * Bytes for people: 12 kB, 3.4 MB.
 * @param {number} value
 */
export function bytes(value) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let size = value, at = 0;
  while (size >= 1000 && at < units.length - 1) [size, at] = [size / 1000, at + 1];
  return `${at && size < 10 ? size.toFixed(1) : Math.round(size)} ${units[at]}`;
}

/**
 * Seconds for people: 0.08 s.
 * @param {number} value
 */
export function seconds(value) {
  return `${value < 0.01 ? "under 0.01" : value < 1 ? value.toFixed(2) : value.toFixed(1)} s`;
}

/**
 * Announce something to screen readers.
 * @param {string | null} text
 */
export function say(text) {
  const said = byId("said");
  said.textContent = "";
  requestAnimationFrame(() => { said.textContent = text; });
}

/**
 * A function that runs once it has not been called for a while.
 * @template {unknown[]} V
 * @param {(...values: V) => unknown} run
 * @param {number} wait milliseconds
 * @returns {(...values: V) => void}
 */
export function later(run, wait = 150) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...values), wait);
  };
}

// Whether this person prefers that nothing moves.
export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * The drawing context of a canvas.
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasRenderingContext2DSettings} [settings]
 */
export function contextOf(canvas, settings) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", settings));
}
