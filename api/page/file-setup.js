// What a file holds, which column has the texts, and the button that begins.

import { bytes, counted, h, problem } from "./dom.js";
import { WINDOWS } from "./file-run.js";
import { modelChoice } from "./model-choice.js";
import { beginning, prepared } from "./table-bytes.js";
import { BadTable, cut, dialectOf, formatOf, oddly, preview } from "./tables.js";

const FIRST_ROWS = 5;
const TEXT_COLUMNS = ["text", "post", "question", "sentence", "utterance", "message", "body", "content",
  "review", "comment", "tweet", "document", "description", "query", "title"];

export function fileSetup(file, begin) {
  const made = h("div", { class: "setup" }, h("h2", null, `${file.name}, ${bytes(file.size)}`));
  prepare(made, file, begin).catch((error) => made.replaceChildren(made.firstChild, problem(error)));
  return made;
}

// The columns stand there at once, and can be chosen, while the rest of the file is read; so can the button be pressed.
async function prepare(made, file, begin) {
  let choice = await columnsOf(file, await beginning(file));
  let wanted = false;
  let go = () => (wanted = true);
  const button = h("button", { type: "button", class: "primary", onclick: () => {
    button.disabled = true;
    go();
  } }, "Label all rows");
  const told = h("p", { class: "quiet", role: "status" });
  const model = modelChoice("file-model");
  const labels = h("p", { class: "quiet" });
  const sayLabels = async () => (labels.textContent = await model.labels());
  model.addEventListener("change", sayLabels);
  made.append(
    h("p", { id: "column-help" }, "Which column has the texts? These are the first rows."), choice.element,
    h("div", { class: "row wrap buttons" }, button, model), labels, told);
  sayLabels();
  const seen = (share) => {
    if (!made.isConnected) throw new DOMException("another file was chosen", "AbortError");
    told.textContent = `Reading the file… ${Math.floor(100 * share)}%${wanted ? ". Then it begins." : ""}`;
  };
  const { blob, notes, table, dialect } = await readAll(file, seen);
  const again = await columnsOf(file, blob);
  if (again.written !== choice.written) choice.element.replaceWith((choice = again).element);
  told.textContent = [...notes, ...table.notes].map((note) => `${note[0].toUpperCase()}${note.slice(1)}.`).join(" ");
  go = () => begin({ blob, dialect, table, column: choice.column, model: model.value });
  if (wanted && table.odd.length === 0) return go();
  button.textContent = `Label ${counted(table.rows, "row")}`;
  button.disabled = false;
  if (table.odd.length > 0) {
    made.append(h("p", { class: "note" }, `${counted(table.odd.length, "row")} can't be read and will be left out: ${oddly(table.odd)}`));
  }
}

// The file is looked through twice: for its encoding, and for its rows.
async function readAll(file, seen) {
  const { blob, notes } = await prepared(file, { seen: (done) => seen((0.5 * done) / file.size) });
  const { dialect, notes: more } = await dialectOf(blob, formatOf(file.name));
  const table = await cut(blob, dialect, { ...WINDOWS, seen: (done) => seen(0.5 + (0.5 * done) / blob.size) });
  if (table.rows === 0) throw new BadTable("The file has a header line and no rows.");
  return { blob, notes: [...notes, ...more], table, dialect };
}

// The columns of a table to choose from, by its first rows.
async function columnsOf(file, blob) {
  const { dialect } = await dialectOf(blob, formatOf(file.name));
  const { columns, rows } = await preview(blob, dialect, FIRST_ROWS);
  const choice = { column: usual(columns, rows), written: JSON.stringify([columns, rows]) };
  choice.element = columnTable(columns, rows, choice.column, (chosen) => (choice.column = chosen));
  return choice;
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
