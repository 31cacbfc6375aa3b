// What a file holds, which column has the texts, and the button that begins.

import { bytes, count, counted, h, problem } from "./dom.js";
import { WINDOWS } from "./file-run.js";
import { modelChoice } from "./model-choice.js";
import { cut, dialectOf, formatOf, guessDelimiter, misfit, preview } from "./tables.js";

const FIRST_ROWS = 5;
const USUAL_COLUMNS = ["text", "post"];

export function fileSetup(file, begin) {
  const made = h("div", { class: "setup" }, h("h2", null, `${file.name}, ${bytes(file.size)}`));
  prepare(made, file, begin).catch((error) => made.append(problem(error)));
  return made;
}

async function prepare(made, file, begin) {
  const wrong = await misfit(file);
  if (wrong) throw new Error(wrong);
  const format = formatOf(file.name);
  const dialect = dialectOf(format, await guessDelimiter(file, format));
  const { columns, rows } = await preview(file, dialect, FIRST_ROWS);
  let column = usual(columns, rows);
  const button = h("button", { type: "button", class: "primary", disabled: true }, "Reading the file…");
  const told = h("p", { class: "quiet", role: "status" });
  const model = modelChoice("file-model");
  made.append(
    h("p", { id: "column-help" }, "Which column has the texts? These are the first rows."),
    columnTable(columns, rows, column, (chosen) => (column = chosen)),
    h("div", { class: "row wrap buttons" }, button, model), told);
  const seen = (done) => (button.textContent = `Reading the file… ${Math.floor((100 * done) / file.size)}%`);
  const table = await cut(file, dialect, { ...WINDOWS, seen });
  if (table.rows === 0) throw new Error("The file has a header line and no rows.");
  button.textContent = `Label ${counted(table.rows, "row")}`;
  button.disabled = false;
  button.addEventListener("click", () => {
    button.disabled = true;
    begin({ dialect, table, column, model: model.value });
  }, { once: true });
  told.textContent = `${count(table.rows)} rows are all well formed.`;
}

// The only column, one of the usual names, or the one with the longest cells.
function usual(columns, rows) {
  const length = (name) => rows.reduce((sum, cells) => sum + (typeof cells[name] === "string" ? cells[name].length : 0), 0);
  return USUAL_COLUMNS.find((name) => columns.includes(name)) ?? [...columns].sort((one, other) => length(other) - length(one))[0];
}

function columnTable(columns, rows, chosen, choose) {
  const cells = new Map(columns.map((name) => [name, []]));
  const mark = (wanted) => cells.forEach((all, name) => all.forEach((cell) => cell.classList.toggle("chosen", name === wanted)));
  const keep = (name, cell) => (cells.get(name).push(cell), cell);
  const heads = columns.map((name) => keep(name, h("th", { scope: "col" }, h("label", null,
    h("input", { type: "radio", name: "column", value: name, checked: name === chosen, "aria-describedby": "column-help",
      onchange: () => (choose(name), mark(name)) }), name || "(no name)"))));
  const body = rows.map((row) => h("tr", null, columns.map((name) => keep(name, h("td", null, h("span", { class: "clamp" }, shown(row[name])))))));
  const made = h("div", { class: "scroll rows columns" }, h("table", null, h("thead", null, h("tr", null, heads)), h("tbody", null, body)));
  mark(chosen);
  return made;
}

const shown = (value) => (value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value));
