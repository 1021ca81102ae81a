// Clean up: groups of duplicates.

export { show } from "./duplicates.js";
