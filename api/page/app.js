// Which part of the page is shown, and what stands around all of them.

import { counted } from "./dom.js";
import "./key-dialog.js";
import { askJson } from "./service.js";

const STATE_EVERY_S = 5;
const REST_AFTER_MS = 100;
const LOAD = {
  try: () => import("./try-view.js"),
  file: () => import("./file-view.js"),
  models: () => import("./models-view.js"),
  now: () => import("./now-view.js"),
  jobs: () => import("./jobs-view.js"),
};

let turns = 0;

// A view that is a custom element may have `shown()` and `left()`. Resolves once it is there.
async function show() {
  const sections = [...document.querySelectorAll("main > section")];
  const wanted = location.hash.slice(1).split("/")[0];
  const chosen = sections.find((section) => section.dataset.view === wanted) ?? sections[0];
  if (!chosen.hidden) return;
  const turn = (turns += 1);
  for (const section of sections) {
    if (!section.hidden) section.lastElementChild.left?.();
    section.hidden = section !== chosen;
  }
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${chosen.dataset.view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  await LOAD[chosen.dataset.view]();
  if (turn === turns) chosen.lastElementChild.shown?.();
}

customElements.define("service-state", class extends HTMLElement {
  connectedCallback() {
    this.look();
    setInterval(() => document.hidden || this.look(), STATE_EVERY_S * 1000);
  }

  async look() {
    try {
      const { ready, workers, reasons } = await askJson("/status", { quiet: true });
      const able = workers.filter((worker) => worker.state === "ready").length;
      this.say(ready ? "ready" : "waiting", ready ? `ready · ${counted(able, "worker")}` : reasons[0]);
    } catch (error) {
      this.say("away", error.status === 401 ? "a key is needed" : "the service does not answer");
    }
  }

  say(state, text) {
    this.dataset.state = state;
    if (this.textContent !== text) this.textContent = text;
    this.title = text;
  }
});

addEventListener("hashchange", () => {
  if (location.hash === "#main") return;
  show();
  scrollTo(0, 0);
});
await show();
// The other parts too: a file that is dropped anywhere is taken, and one that is under way goes on.
setTimeout(() => Object.values(LOAD).forEach((load) => load()), REST_AFTER_MS);
