// A file: dropped, looked at, sent, answered.

import { h, problem } from "./dom.js";
import { exampleFile } from "./examples.js";
import { FileRun } from "./file-run.js";
import { fileSetup } from "./file-setup.js";
import { RunView } from "./run-view.js";
import * as store from "./store.js";

customElements.define("file-view", class extends HTMLElement {
  async connectedCallback() {
    addEventListener("dragover", (event) => this.over(event));
    addEventListener("dragleave", (event) => event.relatedTarget ?? document.body.classList.remove("dragging"));
    addEventListener("drop", (event) => this.dropped(event));
    this.choose();
    const run = await FileRun.restored().catch(() => null);
    if (!run) return;
    this.follow(run);
    if (run.state === "running") run.go();
  }

  // What there is to say stands before the place for another file.
  choose(...more) {
    const example = h("button", { type: "button", class: "small", onclick: () => this.look(exampleFile()) }, "Try an example file");
    this.replaceChildren(...more, chooser("Drop a file here, or choose one", (file) => this.look(file)),
      more.length > 0 ? "" : h("p", { class: "instead" }, example));
  }

  over(event) {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("dragging");
  }

  dropped(event) {
    const [file] = event.dataTransfer.files;
    document.body.classList.remove("dragging");
    if (!file) return;
    event.preventDefault();
    location.hash = "#file";
    this.look(file);
  }

  // A file that was chosen: the one that the run waits for, or a new one.
  look(file) {
    if (this.run?.state === "needs-file") return this.view.offer(file);
    if (this.run?.state === "running") return this.view.say("Cancel this file before you begin another one.");
    this.run = null;
    return this.choose(fileSetup(file, (choices) => this.begin(file, choices)));
  }

  async begin(file, choices) {
    try {
      const run = await FileRun.start(file, choices);
      this.follow(run);
      if (this.offsetParent) scrollTo(0, 0); // to what goes on, unless another part is shown
      await run.go();
    } catch (error) {
      this.choose(problem(error));
    }
  }

  follow(run) {
    this.run = run;
    this.view = new RunView(run, {
      another: () => this.another(),
      chooser: () => chooser("Drop the same file here, or choose it", (file) => this.look(file)),
    });
    this.replaceChildren(this.view.element);
  }

  async another() {
    await store.clear();
    this.run = null;
    this.choose();
    this.querySelector("input").focus();
  }
});

function chooser(words, take) {
  const input = h("input", { type: "file", class: "visually-hidden", onchange: () => {
    if (input.files[0]) take(input.files[0]);
    input.value = "";
  } });
  return h("label", { class: "drop" }, input, h("strong", null, words),
    h("span", { class: "quiet" }, "CSV, TSV or JSON lines, of any size. It is read in this browser; only the texts of one column are sent."));
}
