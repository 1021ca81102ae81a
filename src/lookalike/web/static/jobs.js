// Work of the server that takes a while: followed by its events, shown with progress, pause and stop.

import { ask, Failure } from "./api.js";
import { button, make, messageOf } from "./dom.js";
import { number, t } from "./text.js";

const ENDED = ["done", "failed", "stopped", "interrupted"];
const AGAIN = 2000; // milliseconds until a lost server is asked again

/** @param {api.Job} job */
export const isEnded = (job) => ENDED.includes(job.state);

/**
 * Whether an error says that the server cannot be reached, or cannot answer now, rather than that it refuses.
 * @param {unknown} error
 */
export const isLost = (error) => !(error instanceof Failure) || [0, 401, 403, 429].includes(error.status) || error.status >= 500;

/**
 * The job once it has ended; `onChange` sees each state before. A server that is gone is waited for.
 * @param {api.Job} job
 * @param {(job: api.Job) => unknown} onChange
 * @param {AbortSignal} [signal]
 * @returns {Promise<api.Job>}
 */
export function follow(job, onChange, signal) {
  return new Promise((resolve, reject) => {
    const source = new EventSource(`/api/v1/jobs/${job.id}/events`);
    let timer = 0;
    const end = () => { source.close(); clearTimeout(timer); };
    const see = (/** @type {api.Job} */ now) => {
      onChange(now);
      if (!isEnded(now)) return false;
      end();
      resolve(now);
      return true;
    };
    // Where the stream does not come back, the job is asked for; a server that was started again knows no more of it.
    const look = async () => {
      try {
        if (!see(await ask(`/api/v1/jobs/${job.id}`))) timer = setTimeout(look, AGAIN);
      } catch (error) {
        if (error instanceof Failure && error.status === 404) see({ ...job, state: "interrupted" });
        else timer = setTimeout(look, AGAIN);
      }
    };
    source.addEventListener("job", (event) => see(JSON.parse(event.data)));
    source.addEventListener("error", () => { end(); timer = setTimeout(look, AGAIN / 4); });
    signal?.addEventListener("abort", () => { end(); reject(new DOMException("left", "AbortError")); });
  });
}

// The progress of a job, with buttons to pause and to stop it.
export class JobLine {
  /** @param {api.Job} job @param {{ title: string, canStop?: boolean }} options */
  constructor(job, { title, canStop = true }) {
    this.title = title;
    this.bar = make("progress", { "aria-label": title });
    this.words = make("p", { class: "told", role: "status" });
    this.problem = make("p", { class: "problem", role: "alert" });
    this.pause = button(t("jobs.pause"), { on: { click: () => this.send(this.job.state === "paused" ? "resume" : "pause") } });
    this.stop = button(t("jobs.stop"), { on: { click: () => this.send("stop") } });
    this.buttons = make("span", { class: "buttons" }, this.pause, this.stop);
    this.node = make("div", { class: "job" }, make("p", { class: "job-title", text: title }), this.bar, this.words,
      canStop ? this.buttons : null, this.problem);
    this.job = job;
    this.update(job);
  }

  /** @param {api.Job} job */
  update(job) {
    this.job = job;
    const ended = isEnded(job);
    this.bar.hidden = ended;
    this.buttons.hidden = ended;
    if (job.total) [this.bar.max, this.bar.value] = [job.total, job.done];
    else this.bar.removeAttribute("value");
    within(this.pause).textContent = t(job.state === "paused" ? "jobs.resume" : "jobs.pause");
    const share = job.total ? t("jobs.of", { done: number(job.done), total: number(job.total) }) : "";
    this.words.textContent = [t(`jobs.${job.state}`), ended ? "" : job.stage, ended ? "" : share].filter(Boolean).join(" · ");
    this.problem.textContent = job.error || "";
  }

  /** @param {"pause" | "resume" | "stop"} what */
  async send(what) {
    try {
      this.update(await ask(`/api/v1/jobs/${this.job.id}/${what}`, { method: "POST" }));
    } catch (error) {
      this.problem.textContent = messageOf(error);
    }
  }
}

/** @param {HTMLElement} node */
const within = (node) => /** @type {HTMLElement} */ (node.querySelector("span"));
