// The caller's recent jobs.

import { count, duration, h, moment, problem, table } from "./dom.js";
import { ask, askJson } from "./service.js";

const EVERY_S = 4;
const OPEN = new Set(["queued", "running"]);
const KINDS = { succeeded: "good", failed: "bad", expired: "bad" };

customElements.define("jobs-view", class extends HTMLElement {
  address = "/jobs?limit=20";
  before = [];

  shown() {
    this.look();
    this.timer = setInterval(() => document.hidden || this.look(), EVERY_S * 1000);
  }

  left() {
    clearInterval(this.timer);
  }

  async look() {
    try {
      const found = await askJson(this.address);
      // Not under the hand of somebody who is about to press a button.
      if (!this.contains(document.activeElement) || document.activeElement.dataset.turns) this.draw(found);
      else this.update(found);
    } catch (error) {
      this.replaceChildren(problem(error));
    }
  }

  update(found) {
    const focused = document.activeElement.getAttribute("aria-label");
    this.draw(found);
    [...this.querySelectorAll("button")].find((button) => button.getAttribute("aria-label") === focused)?.focus();
  }

  draw({ jobs, next }) {
    if (jobs.length === 0 && this.before.length === 0) {
      return this.replaceChildren(h("p", null, "There are none. Jobs stand here from when they are accepted until the service forgets them."));
    }
    const turn = (words, enabled, go) => h("button", { type: "button", class: "small", "aria-label": words, disabled: !enabled, onclick: go }, words);
    return this.replaceChildren(
      table(["Job", "State", "Texts", "Done", "Errors", "Made", "Took", "Action"], jobs.map((job) => this.row(job)), { "aria-label": "recent jobs" }),
      h("div", { class: "row pager" },
        turn("Newer", this.before.length > 0, () => this.go(this.before.pop())),
        turn("Older", next !== null, () => {
          this.before.push(this.address);
          this.go(next);
        })));
  }

  row(job) {
    const took = job.timing.total_s ?? job.queue?.seconds_left;
    return [
      h("code", null, job.id),
      h("span", { class: `mark ${KINDS[job.status] ?? ""}` }, job.status),
      count(job.progress.texts), count(job.progress.done), count(job.progress.errors),
      h("span", { class: "nowrap" }, moment(job.created)),
      h("span", null, took == null ? "" : job.timing.total_s === null ? `${duration(took)} left` : duration(took)),
      h("button", { type: "button", class: "small", "aria-label": `${OPEN.has(job.status) ? "Cancel" : "Delete"} ${job.id}`, onclick: () => this.remove(job) },
        OPEN.has(job.status) ? "Cancel" : "Delete"),
    ];
  }

  go(address) {
    this.address = address;
    this.look();
  }

  async remove(job) {
    await ask(`/jobs/${job.id}`, { method: "DELETE" }).catch(() => {});
    this.look();
  }
});
