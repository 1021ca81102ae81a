// Settings: the model, and what it means in this collection.

export { show } from "./model.js";
