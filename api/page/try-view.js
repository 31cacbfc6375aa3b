// Texts in, labels out.

import { count, counted, duration, h, problem } from "./dom.js";
import { EXAMPLES } from "./examples.js";
import { modelChoice } from "./model-choice.js";
import { prediction } from "./prediction.js";
import { ask, askJson, lines, patiently } from "./service.js";
import { snippets } from "./snippets.js";

const MOST_LINES = 1000;
const WAIT_S = 10;
const RETRIES = 4;
const SHOWN_EXAMPLES = EXAMPLES.slice(0, 3).join("\n");

customElements.define("try-view", class extends HTMLElement {
  connectedCallback() {
    this.field = h("textarea", { id: "texts", rows: "5", spellcheck: "false", "aria-describedby": "texts-help",
      placeholder: SHOWN_EXAMPLES, onkeydown: (event) => this.key(event) });
    this.each = h("input", { type: "checkbox", id: "each-line", checked: true });
    this.model = modelChoice("try-model");
    this.button = h("button", { class: "primary" }, "Classify");
    this.told = h("p", { class: "quiet", role: "status" });
    this.results = h("ol", { class: "results" });
    this.code = h("div");
    this.append(
      h("form", { onsubmit: (event) => this.submit(event) },
        h("label", { for: "texts" }, "Texts"), this.field,
        h("p", { class: "quiet", id: "texts-help" }, "One per line; paste as many as you like. Ctrl+Enter asks. A whole table? ",
          h("a", { href: "#file" }, "Label a file"), "."),
        h("div", { class: "row wrap" }, this.button,
          h("button", { type: "button", onclick: () => this.example() }, "Try an example"),
          h("label", { class: "check" }, this.each, "each line is a text"), this.model)),
      this.told, this.results, this.code);
    this.model.addEventListener("change", () => this.sayLabels());
    this.sayLabels();
  }

  // Until something was asked, the page says what an answer may be.
  async sayLabels() {
    const labels = await this.model.labels();
    if (!this.stop) this.say(labels);
  }

  key(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.querySelector("form").requestSubmit();
  }

  example() {
    this.field.value = SHOWN_EXAMPLES;
    this.each.checked = true;
    this.querySelector("form").requestSubmit();
  }

  texts() {
    const given = this.field.value;
    const found = this.each.checked ? given.split(/\r?\n/) : [given];
    return found.map((text) => text.trim()).filter(Boolean);
  }

  async submit(event) {
    event.preventDefault();
    this.stop?.abort();
    const stop = (this.stop = new AbortController());
    const texts = this.texts();
    this.results.replaceChildren();
    this.code.replaceChildren();
    if (texts.length === 0) return this.say("Type a text first, or try an example.");
    if (texts.length > MOST_LINES) return this.say(`${count(texts.length)} texts are better sent as a file: see Label a file.`);
    const request = { texts, ...(this.model.value ? { model: this.model.value } : {}) };
    this.button.setAttribute("aria-busy", "true");
    this.several = false;
    this.say("Asking…");
    try {
      this.summarize(texts, await this.answer({ ...request, scores: true, span: true }, stop.signal));
      this.code.replaceChildren(snippets(request, this.several));
    } catch (error) {
      if (error.name !== "AbortError") this.told.replaceChildren(problem(error));
    } finally {
      if (this.stop === stop) this.button.removeAttribute("aria-busy");
    }
  }

  // The ended job. Its answers are shown as they come.
  async answer(request, signal) {
    const told = (error, pause) => this.say(`${error.message} Trying again in ${duration(pause)}.`);
    const headers = { Prefer: `wait=${request.texts.length > 50 ? 0 : WAIT_S}`, "Idempotency-Key": key() };
    const options = { method: "POST", headers, body: request, signal };
    const job = await patiently(() => askJson("/predict", options), { signal, retries: RETRIES, told });
    if (job.predictions) {
      job.predictions.forEach((one, number) => this.show(request.texts[number], one));
      return job;
    }
    const left = job.queue?.seconds_left;
    this.say(left == null ? "Accepted. It waits for a worker." : `Accepted. It should take ${duration(left)}.`);
    let shown = 0;
    const stream = async () => {
      const found = await ask(`${job.results}?from=${shown}`, { headers: { Accept: "application/x-ndjson" }, signal });
      for await (const one of lines(found)) {
        this.show(request.texts[shown++], one);
        this.say(`${count(shown)} of ${count(request.texts.length)}`);
      }
    };
    await patiently(stream, { signal, retries: RETRIES, told });
    return askJson(`/jobs/${job.id}`, { signal });
  }

  show(text, answer) {
    this.several ||= "labels" in answer;
    this.results.append(prediction(text, answer));
  }

  summarize(texts, job) {
    const { total_s: total, queued_s: queued, running_s: running } = job.timing;
    const time = total === null ? "" : ` in ${duration(total)} (waited ${duration(queued)}, computed ${duration(running ?? 0)})`;
    const version = job.model.version ? ` by ${job.model.name}, version ${job.model.version}` : "";
    this.say(`${counted(texts.length, "text")} ${job.status === "succeeded" ? "answered" : job.status}${time}${version}`);
  }

  say(text) {
    this.told.textContent = text;
  }
});

const key = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
