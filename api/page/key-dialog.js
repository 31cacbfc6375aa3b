// Asks for an API key, when the service wants one.

import { h } from "./dom.js";
import { keys } from "./service.js";

customElements.define("key-dialog", class extends HTMLElement {
  connectedCallback() {
    this.told = h("p", { class: "problem", role: "alert" });
    this.field = h("input", { type: "password", id: "key", autocomplete: "off", spellcheck: "false", required: true });
    this.dialog = h("dialog", { "aria-labelledby": "key-title" },
      h("form", { method: "dialog", onsubmit: (event) => this.take(event) },
        h("h2", { id: "key-title" }, "This service needs a key"),
        h("p", null, "Whoever runs it gives out keys. Yours stays in this tab and is forgotten when you close it."),
        h("label", { for: "key" }, "API key"), this.field, this.told,
        h("div", { class: "buttons" },
          h("button", { class: "primary" }, "Go on"),
          h("button", { type: "button", onclick: () => this.dialog.close() }, "Not now"))));
    this.append(this.dialog);
  }

  // Whether a key was given.
  ask(detail) {
    this.told.textContent = detail;
    this.field.value = "";
    this.given = false;
    this.dialog.showModal();
    return new Promise((resolve) => {
      this.dialog.addEventListener("close", () => resolve(this.given), { once: true });
    });
  }

  take(event) {
    const key = this.field.value.trim();
    if (!/^[!-~]+$/.test(key)) {
      event.preventDefault();
      this.told.textContent = "A key is made of letters, digits and signs, without spaces.";
      return;
    }
    keys.set(key);
    this.given = true;
  }
});
