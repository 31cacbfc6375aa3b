// Models: which there are, their versions, how good they are, their reports, and two of them side by side.

import { counted, h, moment, problem, table } from "./dom.js";
import { askJson } from "./service.js";

customElements.define("models-view", class extends HTMLElement {
  async shown() {
    try {
      const { models } = await askJson("/models");
      const details = await Promise.all(models.map((model) => askJson(`/models/${encodeURIComponent(model.name)}`)));
      if (models.length === 0) return this.replaceChildren(h("p", null, "No model is published yet. ", h("code", null, "make train"), " publishes one."));
      this.replaceChildren(...models.map((model, number) => this.model(model, details[number])));
    } catch (error) {
      this.replaceChildren(problem(error));
    }
  }

  model(model, { name, versions }) {
    const shown = h("div");
    const compared = versions.slice(0, 2).map((one) => one.version);
    return h("article", null,
      h("h2", null, name, " ", model.default && h("span", { class: "mark good" }, "asked unless another is named")),
      h("p", { class: "quiet" }, `${counted(versions.length, "version")}, ${counted(model.workers, "ready worker")}`),
      table(["Version", "State", "Made", "Base", "Labels", "Scores", "Served by", "Report"],
        versions.map((one) => row(name, one, shown)), { "aria-label": `versions of ${name}` }),
      versions.length > 1 && comparison(versions, compared),
      shown);
  }
});

function row(name, one, shown) {
  if (one.problem) return [one.version, mark("can't be read", "bad"), "", "", "", h("span", null, one.problem), "", ""];
  return [
    one.version,
    one.current ? mark("current", "good") : h("span"),
    h("span", { class: "nowrap" }, one.created ? moment(one.created) : ""),
    one.base_model ?? "",
    labels(one),
    h("span", null, headline(one.metrics)),
    h("span", null, one.workers.length ? one.workers.join(", ") : "nobody"),
    one.report
      ? h("button", { type: "button", class: "small", "aria-label": `report of ${one.version}`, onclick: () => open(name, one.version, shown) }, "Report")
      : h("span", { class: "quiet" }, "none"),
  ];
}

const mark = (text, kind) => h("span", { class: `mark ${kind}` }, text);

const score = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(4));

const words = (metric) => metric.replaceAll("_", " ");

function headline(metrics) {
  const first = ["accuracy", "micro_f1", "macro_f1"].filter((metric) => metric in metrics);
  return (first.length ? first : Object.keys(metrics).slice(0, 2)).map((metric) => `${words(metric)} ${score(metrics[metric])}`).join(", ");
}

const labels = (one) => h("details", null, h("summary", null, String(one.labels.length)), one.labels.join(", "));

// The report runs in a frame without powers. A frame can't send a key, so it gets an address that opens this report only.
async function open(name, version, shown) {
  const address = `/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}/report`;
  try {
    const link = await askJson(address, { method: "POST" });
    const heading = h("h3", { tabindex: "-1" }, `Training report of ${version}`);
    shown.replaceChildren(
      h("div", { class: "row apart report" }, heading, h("button", { type: "button", class: "small", onclick: () => shown.replaceChildren() }, "Close")),
      h("iframe", { sandbox: "", src: link.address, title: `training report of ${version}`, referrerpolicy: "no-referrer" }));
    heading.focus();
    shown.scrollIntoView({ block: "start" });
  } catch (error) {
    shown.replaceChildren(problem(error));
  }
}

function comparison(versions, chosen) {
  const result = h("div");
  const names = versions.map((one) => one.version);
  const select = (at) => h("select", { "aria-label": at ? "with" : "compare", onchange: (event) => {
    chosen[at] = event.target.value;
    draw();
  } }, names.map((name) => h("option", { value: name, selected: name === chosen[at] }, name)));
  const draw = () => {
    const [one, other] = chosen.map((name) => versions.find((version) => version.version === name));
    result.replaceChildren(difference(one, other));
  };
  draw();
  return h("details", null, h("summary", null, "Compare two versions"),
    h("div", { class: "row wrap buttons" }, select(0), "with", select(1)), result);
}

function difference(one, other) {
  const metrics = [...new Set([...Object.keys(one.metrics), ...Object.keys(other.metrics)])];
  const value = (version, metric) => (metric in version.metrics ? score(version.metrics[metric]) : "");
  const change = (metric) => {
    if (!(metric in one.metrics && metric in other.metrics)) return "";
    const by = one.metrics[metric] - other.metrics[metric];
    return by === 0 ? "same" : `${by > 0 ? "+" : "−"}${score(Math.abs(by))}`;
  };
  const only = (version, than) => version.labels.filter((label) => !than.labels.includes(label)).join(", ") || "none";
  return h("div", { class: "compared" },
    table(["Figure", one.version, other.version, "Difference"], [
      ...metrics.map((metric) => [words(metric), value(one, metric), value(other, metric), change(metric)]),
      ["base", one.base_model ?? "", other.base_model ?? "", ""],
      ["tokens of a text at most", String(one.max_length ?? ""), String(other.max_length ?? ""), ""],
      ["labels that only it has", h("span", null, only(one, other)), h("span", null, only(other, one)), ""],
    ], { "aria-label": "two versions compared" }));
}
