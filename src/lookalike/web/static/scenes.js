// Same scene: bursts and series.

import { make } from "./dom.js";
import { t } from "./text.js";

/** @param {HTMLElement} container */
export async function show(container) {
  container.replaceChildren(make("p", { class: "nothing", text: t("scenes.soon") }));
}
