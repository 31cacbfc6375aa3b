// What a file holds, which column has the texts, and the button that begins.

import { bytes, counted, h, problem } from "./dom.js";
import { WINDOWS } from "./file-run.js";
import { modelChoice } from "./model-choice.js";
import { prepared } from "./table-bytes.js";
import { cut, dialectOf, formatOf, oddly, preview } from "./tables.js";

const FIRST_ROWS = 5;
const TEXT_COLUMNS = ["text", "post", "question", "sentence", "utterance", "message", "body", "content", "query", "title"];

export function fileSetup(file, begin) {
  const made = h("div", { class: "setup" }, h("h2", null, `${file.name}, ${bytes(file.size)}`));
  prepare(made, file, begin).catch((error) => made.append(problem(error)));
  return made;
}

async function prepare(made, file, begin) {
  const { blob, notes } = await prepared(file);
  const { dialect, notes: more } = await dialectOf(blob, formatOf(file.name));
  const { columns, rows } = await preview(blob, dialect, FIRST_ROWS);
  let column = usual(columns, rows);
  const button = h("button", { type: "button", class: "primary", disabled: true }, "Reading the file…");
  const told = h("p", { class: "quiet", role: "status" });
  const model = modelChoice("file-model");
  made.append(
    h("p", { id: "column-help" }, "Which column has the texts? These are the first rows."),
    columnTable(columns, rows, column, (chosen) => (column = chosen)),
    h("div", { class: "row wrap buttons" }, button, model), told);
  const seen = (done) => (button.textContent = `Reading the file… ${Math.floor((100 * done) / blob.size)}%`);
  const table = await cut(blob, dialect, { ...WINDOWS, seen });
  if (table.rows === 0) throw new Error("The file has a header line and no rows.");
  button.textContent = `Label ${counted(table.rows, "row")}`;
  button.disabled = false;
  button.addEventListener("click", () => {
    button.disabled = true;
    begin({ blob, dialect, table, column, model: model.value });
  }, { once: true });
  told.textContent = [...notes, ...more, ...table.notes].map((note) => `${note[0].toUpperCase()}${note.slice(1)}.`).join(" ");
  if (table.odd.length > 0) {
    made.append(h("p", { class: "note" }, `${counted(table.odd.length, "row")} can't be read and will be left out: ${oddly(table.odd)}`));
  }
}

// One of the usual names, but for case and space around it, or the column with the longest cells.
function usual(columns, rows) {
  const plain = columns.map((name) => name.trim().toLowerCase());
  const named = TEXT_COLUMNS.find((name) => plain.includes(name));
  if (named) return columns[plain.indexOf(named)];
  const length = (name) => rows.reduce((sum, cells) => sum + (typeof cells[name] === "string" ? cells[name].length : 0), 0);
  return [...columns].sort((one, other) => length(other) - length(one))[0];
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
