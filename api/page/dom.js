// Making elements. Texts become text nodes, never markup: the page's policy forbids the other way.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// A share between 0 and 1 as the length of a bar.
export function bar(share) {
  const made = h("span", { class: "bar", "aria-hidden": "true" }, h("span"));
  made.firstChild.style.inlineSize = `${100 * share}%`;
  return made;
}

export const percent = (share) => `${(100 * share).toFixed(share > 0.9995 || share < 0.0005 ? 0 : 1)}%`;

export const count = (number) => Math.round(number).toLocaleString("en");

export const counted = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

export function bytes(size) {
  const units = ["bytes", "kB", "MB", "GB"];
  const step = Math.min(Math.floor(Math.log10(Math.max(size, 1)) / 3), units.length - 1);
  return `${(size / 1000 ** step).toLocaleString("en", { maximumFractionDigits: step ? 1 : 0 })} ${units[step]}`;
}

export function duration(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

export const moment = (written) =>
  new Date(written).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

const isNumber = (value) => typeof value === "number" || (typeof value === "string" && /^[\d,.]+%?$/.test(value));

// The first cell of each row is its header. Columns of numbers stand to the right.
export function table(heads, rows, attributes) {
  const numeric = heads.map((_, at) => rows.some((row) => isNumber(row[at])) && rows.every((row) => isNumber(row[at]) || row[at] === ""));
  const kind = (at) => (at > 0 && numeric[at] ? "number" : null);
  const cell = (value, at) => h(at === 0 ? "th" : "td", { scope: at === 0 ? "row" : null, class: kind(at) }, value ?? "");
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": attributes["aria-label"] },
    h("table", attributes,
      h("thead", null, h("tr", null, heads.map((head, at) => h("th", { scope: "col", class: kind(at) }, head)))),
      h("tbody", null, rows.map((row) => h("tr", null, row.map(cell))))));
}

export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Browsers offer the clipboard only over TLS and on this machine.
  const field = h("textarea", { class: "visually-hidden" }, text);
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  return field.remove();
}

export function problem(error) {
  return h("p", { class: "problem", role: "alert" }, error.message);
}
