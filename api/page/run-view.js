// A file on its way: progress, the labels so far, and its rows with their answers.

import { count, counted, duration, h } from "./dom.js";
import { asCsv, download } from "./export.js";
import { LabelChart } from "./label-chart.js";
import { RowTable } from "./row-table.js";

const REFRESH_MS = 200;

const WORDS = {
  running: "under way",
  elsewhere: "Another tab works on this file. This one goes on when that one is closed.",
  "needs-file": "The browser did not keep this file. Drop the same file here, and it goes on where it was.",
  stopped: "Cancelled. What is answered stays until you begin another file.",
  failed: "It stopped.",
  done: "All rows are answered.",
};

export class RunView {
  constructor(run, { another, chooser }) {
    this.run = run;
    this.chooser = chooser;
    this.progress = h("progress", { max: run.record.rows, value: 0, "aria-label": "rows answered" });
    this.told = h("p", { class: "quiet", role: "status" });
    this.trouble = h("p", { class: "problem", role: "alert" });
    this.buttons = {
      stop: h("button", { type: "button", onclick: () => run.stop() }, "Cancel"),
      resume: h("button", { type: "button", class: "primary", onclick: () => run.go() }, "Go on"),
      another: h("button", { type: "button", onclick: another }, "Another file"),
    };
    this.again = h("div");
    this.table = new RowTable(run, () => (this.saveShown.hidden = !this.table.isFiltered));
    this.chart = new LabelChart(run.answers, (chosen) => this.table.choose(chosen));
    this.spreadsheet = h("input", { type: "checkbox", checked: true });
    this.save = h("button", { type: "button", class: "primary", onclick: () => this.download(false) }, "Download CSV");
    this.saveShown = h("button", { type: "button", class: "small", onclick: () => this.download(true) }, "Download these rows");
    this.element = h("div", { class: "run" },
      h("h2", null, run.record.name), this.progress, this.told, this.trouble, this.again,
      h("div", { class: "row wrap" }, this.save, Object.values(this.buttons),
        h("label", { class: "check" }, this.spreadsheet, "for spreadsheets: formulas become text")),
      h("div", { class: "sides" },
        h("section", { "aria-label": "labels" }, h("h2", null, "Labels"), this.chart.element),
        h("section", { "aria-label": "rows" },
          h("div", { class: "row apart" }, h("h2", null, "Rows"), this.saveShown), this.table.element)));
    run.addEventListener("change", () => this.soon());
    this.refresh();
  }

  // Many answers, one look.
  soon() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.refresh();
    }, REFRESH_MS);
  }

  refresh() {
    const { run } = this;
    const { state, answers, record } = run;
    const running = state === "running";
    this.progress.value = answers.done;
    this.told.textContent = this.words();
    this.trouble.textContent = run.trouble;
    this.buttons.stop.hidden = !running;
    this.buttons.resume.hidden = !["stopped", "failed"].includes(state) || !run.file;
    this.buttons.another.hidden = running || state === "elsewhere";
    if (state === "needs-file" && !this.again.firstChild) this.again.append(this.chooser());
    if (state !== "needs-file") this.again.replaceChildren();
    this.save.disabled = answers.done === 0 || !run.file;
    document.title = running ? `${Math.floor((100 * answers.done) / record.rows)}% · Retort` : "Retort";
    this.chart.refresh();
    this.table.refresh();
  }

  words() {
    const { state, answers, record, pace } = this.run;
    const done = `${count(answers.done)} of ${counted(record.rows, "row")}`;
    const errors = answers.errors.size > 0 ? `, ${counted(answers.errors.size, "row")} without a label` : "";
    if (state !== "running") return `${done}${errors}. ${WORDS[state]}`;
    return pace ? `${done}${errors} · ${count(pace.rate)} rows/s · ${duration(pace.left)} left` : `${done}${errors}`;
  }

  say(text) {
    this.trouble.textContent = text;
  }

  // Whether the file is the one that this run began with, it goes on, or says why not.
  async offer(file) {
    const seen = (share) => (this.told.textContent = `Looking whether it is the same file… ${Math.floor(100 * share)}%`);
    this.say("");
    const same = await this.run.offer(file, seen).catch(() => false);
    this.refresh();
    this.say(same ? "" : `This is not the file that ${this.run.record.name} was: nothing is sent. Drop that file, or begin another one.`);
    if (same) await this.run.go();
  }

  async download(shownOnly) {
    const { record } = this.run;
    this.save.setAttribute("aria-busy", "true");
    try {
      const only = shownOnly ? this.table.matching : null;
      const blob = await asCsv(this.run, { only, spreadsheet: this.spreadsheet.checked });
      download(blob, `${record.name.replace(/\.[^.]*$/, "")}-labelled.csv`);
    } catch {
      this.say("The file can't be read any more: it was moved or changed. Drop it again.");
    } finally {
      this.save.removeAttribute("aria-busy");
    }
  }
}
