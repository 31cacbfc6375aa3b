// Which part of the page is shown, and what stands around all of them.

import { counted } from "./dom.js";
import { askJson } from "./service.js";
import "./key-dialog.js";
import "./try-view.js";
import "./file-view.js";
import "./models-view.js";
import "./now-view.js";
import "./jobs-view.js";

const STATE_EVERY_S = 5;

// A view that is a custom element may have `shown()` and `left()`.
function show() {
  const sections = [...document.querySelectorAll("main > section")];
  const wanted = location.hash.slice(1).split("/")[0];
  const chosen = sections.find((section) => section.dataset.view === wanted) ?? sections[0];
  for (const section of sections) {
    const view = section.lastElementChild;
    const was = !section.hidden;
    section.hidden = section !== chosen;
    if (was && section.hidden) view.left?.();
    if (!was && !section.hidden) view.shown?.();
  }
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${chosen.dataset.view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
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
show();
