// A link to the plan of all groups as a file, which waits until it is known which copies have the same pixels.

import { withValues } from "./address.js";
import { wait } from "./api.js";
import { icon, make, say } from "./dom.js";

const PURPOSE = "What to keep and what to remove, for: lookalike apply PLAN --trash FOLDER";

export class PlanLink {
  /**
   * @param {string} format csv or json
   * @param {(error: unknown) => unknown} onProblem
   */
  constructor(format, onProblem) {
    this.format = format;
    this.onProblem = onProblem;
    this.path = "";
    const text = make("span", { text: `Plan as ${format.toUpperCase()}` });
    this.node = make("a", { class: "button", download: `plan.${format}`, title: PURPOSE }, icon("download"), text);
    this.node.addEventListener("click", (event) => this.follow(event));
  }

  /** @param {string} strictness */
  show(strictness) {
    this.path = withValues("/api/duplicates/plan", { format: this.format, strictness });
    this.node.href = this.path;
  }

  /** @param {Event} event */
  async follow(event) {
    event.preventDefault();
    say("Preparing the plan");
    try {
      saveAs(await wait(this.path, { file: true }), `plan.${this.format}`);
    } catch (error) {
      this.onProblem(error);
    }
  }
}

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
