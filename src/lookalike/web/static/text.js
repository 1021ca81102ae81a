// The words of the page, in the language that the server chose for this browser (see http/pages.py): t("shell.images", {count: 3}).

import { STRINGS } from "./strings.en.js";

/** @typedef {keyof typeof STRINGS} Key */

export const LANGUAGE = document.documentElement.lang || "en";
/** @type {Record<string, string | Record<string, string>>} */
const words = LANGUAGE === "en" ? STRINGS : { ...STRINGS, ...(await import(`./strings.${LANGUAGE}.js`)).STRINGS };
const plural = new Intl.PluralRules(LANGUAGE);

/**
 * A text of the catalogue with its values filled in; numbers are written as people of this language do.
 * @param {Key} key
 * @param {Record<string, string | number>} values `count` chooses between singular and plural
 */
export function t(key, values = {}) {
  const found = words[key];
  const text = typeof found === "string" ? found : found[plural.select(Number(values.count))] || found.other;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === "number" ? value.toLocaleString(LANGUAGE) : value;
  });
}

/**
 * A date as people of this language write it.
 * @param {Date} date
 * @param {Intl.DateTimeFormatOptions} how
 */
export const dateText = (date, how = { dateStyle: "medium" }) => new Intl.DateTimeFormat(LANGUAGE, how).format(date);

/**
 * 1234567 → 1,234,567, as people of this language write numbers.
 * @param {number} value
 */
export const number = (value) => value.toLocaleString(LANGUAGE);

/**
 * Several things in one line: "1 exact copy, 2 edited copies".
 * @param {string[]} parts
 */
export const listText = (parts) => new Intl.ListFormat(LANGUAGE, { type: "unit", style: "short" }).format(parts);
