// How the service stands, drawn from what it says every two seconds while this part is shown.

import { bytes, count, counted, duration, h, problem, svg, table } from "./dom.js";
import { askJson } from "./service.js";

const EVERY_S = 2;
const LEAST_S = 60;
const WIDTH = 300;
const HEIGHT = 100;

customElements.define("now-view", class extends HTMLElement {
  shown() {
    this.look();
    this.timer = setInterval(() => document.hidden || this.look(), EVERY_S * 1000);
  }

  left() {
    clearInterval(this.timer);
  }

  async look() {
    if (this.busy) return;
    this.busy = true;
    try {
      this.draw(await askJson("/status"));
    } catch (error) {
      this.replaceChildren(problem(error));
    } finally {
      this.busy = false;
    }
  }

  draw(status) {
    const opened = [...this.querySelectorAll("details[open]")].map((one) => one.dataset.name);
    const seen = (status.lately ?? []).map(({ ago_s: ago, texts_per_s: value }) => ({ at: -ago, value }));
    this.replaceChildren(
      status.ready ? "" : h("div", { class: "note", role: "status" }, status.reasons.map((reason) => h("div", null, reason))),
      facts(status, seen),
      h("h2", null, "Texts a second"),
      plot(seen, "texts answered a second over the last minutes"),
      h("h2", null, "What waits"),
      waiting(status.models),
      h("h2", null, "Workers"),
      workers(status.workers),
      refused(status.workers));
    for (const one of this.querySelectorAll("details")) one.open = opened.includes(one.dataset.name);
  }
});

function facts({ jobs, workers, dead_letters: dead, store }, seen) {
  const ready = workers.filter((worker) => worker.state === "ready").length;
  const told = [
    [count(ready), ready === 1 ? "worker is ready" : "workers are ready"],
    [seen.length ? count(seen.at(-1).value) : "–", "texts a second now"],
    [count(jobs.open), "jobs under way"],
    [count(jobs.accepted), `jobs so far, ${count(jobs.refused)} refused`],
    [count(jobs.failed + jobs.expired), `jobs failed or expired, ${count(jobs.cancelled)} cancelled`],
    [count(dead), "dead letters"],
    [bytes(store.used_bytes), store.limit_bytes ? `of ${bytes(store.limit_bytes)} in Redis` : "in Redis"],
  ];
  return h("ul", { class: "facts" }, told.map(([number, words]) => h("li", { class: "card" }, h("strong", null, number), h("span", { class: "quiet" }, words))));
}

function plot(seen, label) {
  const most = Math.max(1, ...seen.map((one) => one.value));
  const end = seen.at(-1)?.at ?? 0;
  const span = Math.max(LEAST_S, end - (seen[0]?.at ?? 0));
  const point = ({ at, value }) => `${(WIDTH * (1 - (end - at) / span)).toFixed(1)} ${(HEIGHT * (1 - value / most) * 0.94 + 4).toFixed(1)}`;
  const line = seen.map(point).join(" L ");
  const last = seen.length ? count(seen.at(-1).value) : "none yet";
  return h("div", { class: "card" },
    svg("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${label}: now ${last}, at most ${count(most)}` },
      seen.length > 1 && svg("path", { class: "under", d: `M ${point({ at: seen[0].at, value: 0 })} L ${line} L ${point({ at: end, value: 0 })} Z` }),
      seen.length > 1 && svg("path", { d: `M ${line}` })),
    h("div", { class: "row apart quiet" }, h("span", null, `${duration(span)} ago`), h("span", null, `at most ${count(most)} texts/s`), h("span", null, "now")));
}

function waiting(models) {
  const rows = models.flatMap((model) => model.lanes.map((lane) => [
    model.name, h("span", null, lane.lane), count(lane.texts),
    h("span", null, lane.texts === 0 ? "" : lane.seconds === null ? "not known yet" : duration(lane.seconds)),
    model.texts_per_s ? `${count(model.texts_per_s)}` : "",
    h("span", null, model.oldest_s ? duration(model.oldest_s) : "")]));
  return table(["Model", "Lane", "Texts", "Answered in", "Texts/s when busy", "Oldest waits"], rows, { "aria-label": "what waits" });
}

function workers(all) {
  if (all.length === 0) return h("p", null, "No worker lives.");
  return table(["Worker", "State", "Model", "Version", "Device", "Texts/s when busy"], all.flatMap((worker) => worker.models.map((each) => [
    worker.id,
    h("span", { class: `mark ${each.state === "ready" ? "good" : ""}` }, each.state),
    each.model, h("span", null, each.version ?? "none"),
    h("span", null, [worker.device, each.precision].filter(Boolean).join(", ")),
    each.texts_per_s ? count(each.texts_per_s) : ""])), { "aria-label": "workers" });
}

function refused(all) {
  const found = all.flatMap((worker) => worker.models.flatMap((each) =>
    Object.entries(each.refused).map(([version, why]) => [`${each.model} ${version}`, h("span", null, worker.id), h("span", null, why)])));
  if (found.length === 0) return "";
  return h("div", null, h("h2", null, `${counted(found.length, "refused version")}`),
    table(["Version", "Refused by", "Because"], found, { "aria-label": "refused versions" }));
}
