// The rows of a file with their answers, a page at a time, all or those that fit a label and a range of scores.

import { bar, count, h, percent } from "./dom.js";
import { rowsOf } from "./tables.js";

const PAGE = 25;
const MOST_WINDOWS = 8; // that are kept parsed

export class RowTable {
  // `looked` is called after each look at the rows.
  constructor(run, looked) {
    this.run = run;
    this.looked = looked;
    this.page = 0;
    this.label = null;
    this.cache = new Map();
    this.body = h("tbody");
    this.told = h("span", { class: "quiet", role: "status" });
    this.least = this.bound("least", 0);
    this.most = this.bound("most", 100);
    this.errors = h("input", { type: "checkbox", onchange: () => this.again() });
    this.whole = h("input", { type: "checkbox", onchange: () => this.refresh() });
    this.head = h("tr");
    this.back = h("button", { type: "button", class: "small", onclick: () => this.turn(-1) }, "Back");
    this.next = h("button", { type: "button", class: "small", onclick: () => this.turn(1) }, "Next");
    this.element = h("div", { class: "rows" },
      h("div", { class: "row wrap" },
        h("label", { class: "check" }, "score from", this.least, "to", h("span", { class: "visually-hidden" }, "(percent)")),
        h("label", { class: "check" }, h("span", { class: "visually-hidden" }, "score at most"), this.most, "%"),
        h("label", { class: "check" }, this.errors, "only rows without a label"),
        h("label", { class: "check" }, this.whole, "all columns")),
      h("div", { class: "row wrap pager" }, this.back, this.next, this.told),
      h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "rows with their answers" },
        h("table", null, h("thead", null, this.head), this.body)));
  }

  bound(name, value) {
    return h("input", { type: "number", min: "0", max: "100", step: "1", value, "data-bound": name, onchange: () => this.again() });
  }

  get isFiltered() {
    return this.label !== null || this.errors.checked || Number(this.least.value) > 0 || Number(this.most.value) < 100;
  }

  // Numbers of the rows that fit.
  get matching() {
    return this.run.answers.matching({
      label: this.label, errors: this.errors.checked,
      least: Number(this.least.value) / 100, most: Number(this.most.value) / 100,
    });
  }

  choose(label) {
    this.label = label;
    this.again();
  }

  again() {
    this.page = 0;
    this.refresh();
  }

  turn(pages) {
    this.page += pages;
    this.refresh();
  }

  // One look at a time, and one more when something has changed meanwhile.
  async refresh() {
    if (this.busy) {
      this.stale = true;
      return;
    }
    this.busy = true;
    try {
      do {
        this.stale = false;
        await this.look();
      } while (this.stale);
    } finally {
      this.busy = false;
    }
  }

  async look() {
    const found = this.isFiltered ? this.matching : null;
    const rows = found ? found.length : this.run.record.rows;
    this.page = Math.max(0, Math.min(this.page, Math.ceil(rows / PAGE) - 1));
    const first = this.page * PAGE;
    const shown = Array.from({ length: Math.min(PAGE, rows - first) }, (_, at) => (found ? found[first + at] : first + at));
    const cells = await this.cells(shown);
    this.back.disabled = this.page === 0;
    this.next.disabled = first + PAGE >= rows;
    const range = rows === 0 ? "no rows" : `rows ${count(first + 1)} to ${count(first + shown.length)} of ${count(rows)}`;
    this.told.textContent = found ? `${range} that fit` : range;
    this.draw(shown, cells);
    this.looked();
  }

  draw(shown, cells) {
    const { record } = this.run;
    const columns = this.whole.checked ? record.columns : [record.column];
    const heads = ["Row", ...columns, "Label", "Score", "Tokens"];
    this.head.replaceChildren(...heads.map((name) => h("th", { scope: "col" }, name)));
    this.body.replaceChildren(...shown.map((row, at) => h("tr", null,
      h("th", { scope: "row" }, count(row + 1)),
      columns.map((name) => h("td", { class: name === record.column ? "text" : null }, h("span", { class: "clamp" }, asText(cells[at]?.[name])))),
      this.answer(row))));
  }

  answer(row) {
    const found = this.run.answers.at(row);
    if (found === null) return h("td", { colspan: "3", class: "quiet" }, this.run.state === "running" ? "waiting" : "");
    if (found.error) return h("td", { colspan: "3" }, h("span", { class: "mark bad" }, found.error), " ", found.detail);
    return [
      h("td", null, [found.label].flat().join(", "), found.review && h("span", { class: "mark" }, "for review"), found.unfamiliar && h("span", { class: "mark" }, "unfamiliar"), found.unknown && h("span", { class: "mark" }, "unknown words")),
      h("td", null, h("span", { class: "score" }, bar(found.score), percent(found.score))),
      h("td", { class: "number" }, `${count(found.tokens)}${found.truncated ? ", cut" : ""}`),
    ];
  }

  // What stands in these rows, out of the file; nothing while the file is not there.
  async cells(rows) {
    if (!this.run.file) return [];
    const { windows } = this.run.record;
    const found = [];
    for (const row of rows) {
      const number = windowOf(windows, row);
      found.push((await this.parsed(number))[row - windows[number].first]);
    }
    return found;
  }

  async parsed(number) {
    const { windows, dialect, columns } = this.run.record;
    const key = windows[number].start;
    const known = this.cache.get(key) ?? (await rowsOf(this.run.file, windows[number], dialect, columns).catch(() => []));
    this.cache.delete(key);
    this.cache.set(key, known);
    if (this.cache.size > MOST_WINDOWS) this.cache.delete(this.cache.keys().next().value);
    return known;
  }
}

function windowOf(windows, row) {
  let low = 0;
  let high = windows.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (windows[middle].first <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}

const asText = (value) => (value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value));
