// Carry the clean-up out: a dry run first, then files go into the trash after a confirmation that names them.

import { href, withValues } from "./address.js";
import { ask, Failure, wait } from "./api.js";
import { openDialog } from "./dialogs.js";
import { alertLine, button, bytes, make, messageOf, present, say } from "./dom.js";
import { saveAs } from "./download.js";
import { follow, JobLine } from "./jobs.js";
import { t } from "./text.js";
import { baseName } from "./tiles.js";

/**
 * @typedef {{ known: api.Info, queue: import("./queue.js").Queue, strictness: string, rules: string[], onChange: () => unknown, onClose: () => unknown }} ApplyOptions
 */

const RELATIONS = /** @type {const} */ (["exact", "same-pixels", "edited"]);

export class ApplyDialog {
  /** @param {ApplyOptions} options */
  constructor(options) {
    this.options = options;
    this.problem = alertLine("");
    this.body = make("div", { class: "apply", role: "status" });
    this.boxes = RELATIONS.map((name) => make("input", { type: "checkbox", id: `apply-${name}`, value: name, on: { change: () => this.check() } }));
    this.loss = make("input", { type: "checkbox", id: "apply-loss", on: { change: () => this.check() } });
    this.go = button(t("apply.go"), { class: "danger", disabled: true, on: { click: () => this.carryOut() } });
    this.stop = new AbortController();
    this.turn = 0;
    /** @type {api.Plan | null} */
    this.plan = null;
  }

  open() {
    const { known } = this.options;
    const ready = known.write && known.trash;
    const content = ready ? [this.choices(), this.body, this.problem] : [this.advice(), this.problem];
    this.dialog = openDialog(t("apply.title"), content, {
      buttons: ready ? [this.go] : this.downloads(), kind: "wide", onClose: () => { this.stop.abort(); this.options.onClose(); },
    });
    if (ready) this.check();
  }

  // What to say where the server moves no files.
  advice() {
    return make("div", { class: "stack" }, make("p", { text: t("apply.noTrash") }), make("pre", {}, make("code", { text: "lookalike serve --db DB --write --trash FOLDER" })),
      make("p", { text: t("apply.orFile") }), make("pre", {}, make("code", { text: "lookalike apply plan.csv --trash FOLDER" })));
  }

  downloads() {
    return ["csv", "json"].map((format) => button(t("apply.download", { format: format.toUpperCase() }), {
      sign: "download", on: { click: () => this.download(format) },
    }));
  }

  /** @param {string} format */
  async download(format) {
    try {
      await this.options.queue.flush();
      const path = withValues("/api/v1/plan", { format, strictness: this.options.strictness });
      const rules = this.options.rules.map((rule) => `&prefer=${encodeURIComponent(rule)}`).join("");
      saveAs(await wait(path + rules, { file: true, signal: this.stop.signal }), `plan.${format}`);
    } catch (error) {
      this.problem.textContent = messageOf(error);
    }
  }

  choices() {
    const label = (/** @type {HTMLInputElement} */ box, /** @type {string} */ text) => make("label", { class: "check", for: box.id }, box, text);
    return make(
      "fieldset", { class: "stack choices" }, make("legend", { text: t("apply.what") }), make("p", { text: t("apply.decided") }),
      ...this.boxes.map((box, at) => label(box, t(`apply.also.${RELATIONS[at]}`))), label(this.loss, t("apply.loss")),
    );
  }

  // The dry run: what would go, read from the files as they are now.
  async check() {
    const turn = ++this.turn;
    this.go.disabled = true;
    this.plan = null;
    this.problem.textContent = "";
    this.body.replaceChildren(make("p", { class: "told", text: t("apply.checking") }), make("progress", { "aria-label": t("apply.checking") }));
    try {
      await this.options.queue.flush();
      if (this.options.queue.entries.length) throw new Failure(t("apply.unsaved"));
      const { strictness, rules: prefer } = this.options;
      const relations = this.boxes.filter((box) => box.checked).map((box) => box.value);
      /** @type {api.Plan} */
      let plan = await wait("/api/v1/plans", { json: { strictness, relations, prefer, groups: null, allow_metadata_loss: this.loss.checked } });
      if (turn !== this.turn) return;
      if (!plan.checked) {
        const check = await ask(`/api/v1/jobs/${plan.job}`);
        const line = new JobLine(check, { title: t("apply.checking"), canStop: false });
        this.body.replaceChildren(line.node);
        const job = await follow(check, (now) => line.update(now), this.stop.signal);
        if (job.state !== "done") throw new Failure(job.error || t("jobs.interrupted"));
        plan = await ask(`/api/v1/plans/${plan.id}`);
      }
      if (turn === this.turn) this.confirm(plan);
    } catch (error) {
      if (turn === this.turn && !this.stop.signal.aborted) this.fail(error);
    }
  }

  /** @param {unknown} error */
  fail(error) {
    this.body.replaceChildren(button(t("apply.again"), { on: { click: () => this.check() } }));
    this.problem.textContent = messageOf(error);
  }

  /** @param {api.Plan} plan */
  confirm(plan) {
    this.plan = plan;
    const size = bytes(plan.bytes);
    this.go.disabled = plan.count === 0;
    this.go.querySelector("span")?.replaceChildren(plan.count ? t("apply.goCount", { count: plan.count, bytes: size }) : t("apply.go"));
    if (!plan.count) {
      this.body.replaceChildren(make("p", { class: "large", text: t("apply.nothing") }), ...this.others(plan));
      return;
    }
    this.body.replaceChildren(
      make("p", { class: "large", text: t("apply.confirm", { count: plan.count, bytes: size }) }),
      make("p", { class: "folder" }, `${t("apply.into")} `, make("code", { text: plan.trash })),
      make("p", { class: "soft", text: t("apply.undoable") }), ...this.others(plan), this.files(plan),
    );
  }

  /** @param {api.Plan} plan what else is to be known of it */
  others({ companions, spared, refused }) {
    return present([
      companions ? make("p", { text: t("apply.companions", { count: companions }) }) : null,
      spared && !this.loss.checked ? make("p", { text: t("apply.spared", { count: spared }) }) : null,
      refused.length ? make("details", { open: true }, make("summary", { text: t("apply.refused", { count: refused.length }) }),
        make("ul", { class: "files", tabindex: "0", "aria-label": t("runs.files") }, ...refused.map((one) => make("li", {}, make("b", { text: baseName(one.path) }), ` ${one.why}`)))) : null,
    ]);
  }

  /** @param {api.Plan} plan */
  files(plan) {
    const lines = make("ul", { class: "files", tabindex: "0", "aria-label": t("runs.files") }, ...plan.sample.map((one) => fileLine(one)));
    if (plan.count > plan.sample.length) lines.append(make("li", { class: "soft", text: t("apply.moreFiles", { count: plan.count - plan.sample.length }) }));
    return make("details", {}, make("summary", { text: t("apply.which") }), lines);
  }

  async carryOut() {
    const { plan } = this;
    if (!plan) return;
    this.go.disabled = true;
    try {
      /** @type {api.Job} */
      const job = await ask(`/api/v1/plans/${plan.id}/apply`, { json: { count: plan.count, bytes: plan.bytes } });
      this.dialog?.querySelector(".choices")?.remove();
      const line = new JobLine(job, { title: t("apply.moving", { count: plan.count }) });
      this.body.replaceChildren(line.node, make("p", { class: "soft", text: t("apply.closeable") }));
      const ended = await follow(job, (now) => line.update(now), this.stop.signal);
      this.options.onChange();
      this.ended(plan, ended);
    } catch (error) {
      if (this.stop.signal.aborted) this.options.onChange();
      else this.fail(error);
    }
  }

  /** @param {api.Plan} plan @param {api.Job} job */
  ended(plan, job) {
    const words = job.state === "done" ? t("apply.done", { count: plan.count, bytes: bytes(plan.bytes) }) : t("apply.stopped");
    say(words);
    this.body.replaceChildren(...present([
      make("p", { class: "large", text: words }), make("p", { class: "folder" }, make("code", { text: plan.trash })),
      job.error ? alertLine(job.error) : null, make("p", { class: "soft", text: t("apply.later") }),
    ]));
    const history = make("a", { class: "button", href: href("cleanup", { state: "runs" }), text: t("cleanup.tab.runs"), on: { click: () => this.dialog?.close() } });
    this.go.replaceWith(history, button(t("apply.close"), { class: "main", on: { click: () => this.dialog?.close() } }));
  }
}

/** @param {api.PlanFile} file */
function fileLine({ path, size, why }) {
  return make("li", { title: path }, make("b", { text: baseName(path) }), make("span", { class: "soft", text: ` ${bytes(size)} · ${why}` }));
}
