// Which model is asked, shown only where there is a choice, and which labels it has.

import { counted, h } from "./dom.js";
import { askJson } from "./service.js";

const SHOWN_LABELS = 8;

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

  // A sentence about what this model answers; empty where nothing is known of it.
  async labels() {
    try {
      const name = this.value || (await models()).find((model) => model.default).name;
      const { versions } = await askJson(`/models/${encodeURIComponent(name)}`);
      const { labels, thresholds } = versions.find((one) => one.current);
      const rest = labels.length > SHOWN_LABELS ? ` and ${labels.length - SHOWN_LABELS} more` : "";
      return `Each text gets ${thresholds ? "any" : "one"} of ${counted(labels.length, "label")}: ${labels.slice(0, SHOWN_LABELS).join(", ")}${rest}.`;
    } catch {
      return "";
    }
  }
});

export const modelChoice = (name) => h("model-choice", { class: "choice", "data-name": name });
