// The table with its answers as CSV.

import { rowsOf } from "./tables.js";

const ANSWER = ["label", "score", "tokens", "truncated", "error", "detail"];
const SEPARATORS = ["|", ";", "\t"];
const FORMULA = /^[=+\-@\t\r＝＋－＠]/;
const NUMBER = /^[-+]?\d[\d.,]*(e[-+]?\d+)?%?$/i;
const BYTE_ORDER_MARK = "\ufeff";

// A name beside those of the table: `label`, or `predicted_label` where that is taken.
const free = (name, taken) => (taken.includes(name) ? free(`predicted_${name}`, taken) : name);

// Those of all answers, and the marks that any has.
const members = (answers) => [...ANSWER, ...answers.marks];

// `labels` where a row may have several.
export const answerColumns = (columns, answers) =>
  members(answers).map((name) => free(name === "label" && answers.several ? "labels" : name, columns));

// Between the labels of a row: the first sign that is part of none.
const separator = (names) => SEPARATORS.find((sign) => !names.flat().some((name) => name.includes(sign))) ?? "\n";

// What spreadsheets would run becomes text.
export const defused = (cell) => (FORMULA.test(cell) && !NUMBER.test(cell) ? `'${cell}` : cell);

function written(cells, { delimiter, spreadsheet }) {
  const quoted = cells.map((value) => {
    const text = value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
    const cell = spreadsheet ? defused(text) : text;
    return cell.includes(delimiter) || /["\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
  });
  return `${quoted.join(delimiter)}\r\n`;
}

// The rows of a finished or unfinished run, those of `only` if given, as a blob that the browser may keep on disk.
export async function asCsv({ record, file, answers }, { only = null, spreadsheet = true }) {
  const style = { delimiter: record.dialect.delimiter === ";" ? ";" : ",", spreadsheet };
  const parts = [(spreadsheet ? BYTE_ORDER_MARK : "") + written([...record.columns, ...answerColumns(record.columns, answers)], style)];
  const names = members(answers);
  const between = separator(answers.names);
  const cell = (value) => (Array.isArray(value) ? value.join(between) : value);
  const wanted = only && new Set(only);
  for (const window of record.windows) {
    if (wanted && !hasAny(wanted, window)) continue;
    const rows = await rowsOf(file, window, record.dialect, record.columns);
    const text = rows.map((cells, at) => {
      const row = window.first + at;
      if (wanted && !wanted.has(row)) return "";
      const answer = answers.at(row) ?? {};
      return written([...record.columns.map((name) => cells[name]), ...names.map((name) => cell(answer[name]))], style);
    });
    parts.push(new Blob(text));
  }
  return new Blob(parts, { type: "text/csv" });
}

function hasAny(wanted, { first, rows }) {
  for (let row = first; row < first + rows; row += 1) if (wanted.has(row)) return true;
  return false;
}

export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
