import { make } from "./dom.js";

export async function show(container) {
  if (!container.firstChild) container.append(make("p", { class: "nothing", text: "Not yet." }));
}
