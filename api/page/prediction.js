// One text with its answer.

import { bar, counted, h, percent } from "./dom.js";

const SHOWN = 3;
const LONG = 1000;
const MARKS = { review: "for review", unfamiliar: "unfamiliar" };

export function prediction(text, answer) {
  if (answer.error) {
    return h("li", { class: "card" }, h("p", { class: "text" }, text || "(empty)"), h("p", { class: "problem" }, answer.error.detail));
  }
  const scores = Object.entries(answer.scores).sort((one, other) => other[1] - one[1]);
  const held = answer.labels?.map(({ label }) => label);
  const shown = held ? scores.filter(([label]) => held.includes(label)) : scores.slice(0, SHOWN);
  const rest = scores.filter((one) => !shown.includes(one));
  return h("li", { class: "card" },
    whole(text, answer.span),
    h("p", { class: "marks" }, marks(answer).map((mark) => h("span", { class: "mark" }, mark))),
    shown.length > 0 ? scoreList(shown) : h("p", { class: "quiet" }, "no label holds"),
    rest.length > 0 && h("details", null,
      h("summary", null, `All ${scores.length} labels`), scoreList(rest)),
    h("p", { class: "quiet" }, read(answer)));
}

// A long one scrolls, by keyboard too.
const whole = (text, span) =>
  text.length > LONG
    ? h("div", { class: "text long", tabindex: "0", role: "group", "aria-label": "text" }, parts(text, span))
    : h("p", { class: "text" }, parts(text, span));

// What the model read, and what was cut off behind it. A span counts code points, of which each may be two of a string.
function parts(text, span) {
  if (!span) return [text];
  const points = Array.from(text);
  return [points.slice(0, span[1]).join(""), cut(points.slice(span[1]).join(""))];
}

// Not every screen reader tells of a line through a text.
const cut = (text) =>
  text.trim() !== "" && h("s", { class: "cut" }, h("span", { class: "visually-hidden" }, " Cut off, not read: "), text);

const scoreList = (scores) =>
  h("ol", { class: "scores" }, scores.map(([label, score]) =>
    h("li", null, h("span", { class: "label" }, label), bar(score), h("span", { class: "number" }, percent(score)))));

function read(answer) {
  const tokens = counted(answer.tokens, "token");
  if (answer.windows) return `${tokens} read in ${counted(answer.windows, "window")}${answer.truncated ? ", the rest was cut off" : ""}`;
  return answer.truncated ? `${tokens} read, the rest was cut off: the text is longer than the model reads` : `${tokens} read`;
}

function marks(answer) {
  const found = Object.entries(MARKS).filter(([name]) => answer[name] === true).map(([, mark]) => mark);
  return answer.unknown === undefined ? found : [...found, `${percent(answer.unknown)} unknown to the model`];
}
