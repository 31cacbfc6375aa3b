// Which model is asked; shown only where there is a choice.

import { h } from "./dom.js";
import { askJson } from "./service.js";

let listed = null;

// Asked for once, whoever needs it.
const models = () => (listed ??= askJson("/models").then((found) => found.models).catch(() => ((listed = null), [])));

customElements.define("model-choice", class extends HTMLElement {
  async connectedCallback() {
    const found = await models();
    if (found.length < 2 || this.select) return;
    this.select = h("select", { id: this.dataset.name },
      found.map((model) => h("option", { value: model.default ? "" : model.name, selected: model.default }, model.name)));
    this.append(h("label", { for: this.dataset.name }, "Model"), this.select);
  }

  // The model's name; empty for the default one.
  get value() {
    return this.select?.value ?? "";
  }
});

export const modelChoice = (name) => h("model-choice", { class: "choice", "data-name": name });
