// Pages that the server writes (sign-in, not found): their texts from the catalogue, by the key in data-t.

import { t } from "./text.js";

for (const node of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-t]:not([data-t=''])"))) {
  node.textContent = t(/** @type {import("./text.js").Key} */ (node.dataset.t));
}
