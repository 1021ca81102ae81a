// A link to the plan of all groups as a file, which waits until it is known which copies have the same pixels.

import { wait, withValues } from "./api.js";
import { icon, make, say } from "./dom.js";

export class PlanLink {
  // `format`: csv or json; `onProblem(error)`.
  constructor(format, onProblem) {
    Object.assign(this, { format, onProblem, ready: false });
    const text = make("span", { text: `Plan as ${format.toUpperCase()}` });
    this.node = make("a", { class: "button", download: `plan.${format}`, title: PURPOSE }, icon("download"), text);
    this.node.addEventListener("click", (event) => this.follow(event));
  }

  show(radius) {
    this.path = withValues("/api/duplicates/plan", { format: this.format, radius });
    this.node.href = this.path;
  }

  async follow(event) {
    event.preventDefault();
    say("Making the plan");
    try {
      saveAs(await wait(this.path, { file: true }), `plan.${this.format}`);
    } catch (error) {
      this.onProblem(error);
    }
  }
}

function saveAs(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

const PURPOSE = "What to keep and what to remove, for: lookalike duplicates --apply PLAN --trash FOLDER";
