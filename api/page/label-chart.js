// How many rows have which label. A click shows only those.

import { bar, count, h } from "./dom.js";

const SHOWN = 12;

export class LabelChart {
  constructor(answers, choose) {
    this.answers = answers;
    this.choose = choose;
    this.chosen = null;
    this.all = false;
    this.list = h("ul", { class: "chart" });
    this.more = h("button", { type: "button", class: "small", onclick: () => {
      this.all = !this.all;
      this.refresh();
    } });
    this.lines = new Map();
    this.element = h("div", null, this.list, this.more);
  }

  refresh() {
    const counts = [...this.answers.counts].sort((one, other) => other[1] - one[1] || (one[0] < other[0] ? -1 : 1));
    const most = counts[0]?.[1] ?? 1;
    const shown = this.all ? counts : counts.slice(0, SHOWN);
    const lines = shown.map(([label, number]) => this.line(label, number, number / most));
    if (lines.some((line, at) => this.list.children[at] !== line) || this.list.children.length !== lines.length) {
      const focused = document.activeElement;
      this.list.replaceChildren(...lines);
      if (this.list.contains(focused)) focused.focus();
    }
    this.more.hidden = counts.length <= SHOWN;
    this.more.textContent = this.all ? "Show fewer" : `Show all ${counts.length}`;
  }

  line(label, number, share) {
    if (!this.lines.has(label)) {
      const button = h("button", { type: "button", "aria-pressed": "false", onclick: () => this.press(label) },
        h("span", null, label), bar(share), h("span", { class: "number" }));
      this.lines.set(label, h("li", null, button));
    }
    const line = this.lines.get(label);
    const [button] = line.children;
    button.children[1].firstChild.style.inlineSize = `${100 * share}%`;
    button.lastChild.textContent = count(number);
    button.setAttribute("aria-pressed", String(this.chosen === label));
    return line;
  }

  press(label) {
    this.chosen = this.chosen === label ? null : label;
    this.refresh();
    this.choose(this.chosen);
  }
}
