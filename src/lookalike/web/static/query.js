// What is wrong with an address that cannot be searched for.

import { t } from "./text.js";

/** @typedef {import("./address.js").State} State */

/**
 * Why what the address asks for cannot be searched for, or "".
 * @param {State} state
 * @param {api.Info} known
 */
export function wrongIn(state, { bits }) {
  const [id, code] = [state.get("id"), state.get("code") || ""];
  if (id) return state.number("id") ? "" : t("search.wrongId", { id: quoted(id) });
  return /^[0-9a-f]+$/i.test(code) && code.length === bits / 4 ? "" : t("search.wrongLink");
}

const quoted = (/** @type {string} */ text) => (text.length > 40 ? `${text.slice(0, 40)}…` : text);
