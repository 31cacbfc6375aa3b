// Reading CSV, TSV and JSON lines a piece at a time, so that a file may be larger than memory: by the same rules as
// training and the command line, which one table of cases holds.

import { Digest } from "./digest.js";
import { pieces } from "./pieces.js";
import { BadTable, RowScanner } from "./row-scanner.js";

export { BadTable };

const SUFFIXES = { ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl" };
const DELIMITERS = { ",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars" };
const SAID_DELIMITER = /^"?sep=(.)"?$/; // a first line for Excel, which is no header
const SAMPLE_BYTES = 1 << 16;
const SAMPLE_ROWS = 200;
const PREVIEW_BYTES = 1 << 20;
const MOST_ODD = 100;
const MOST_LAST_CELLS = 10_000;

const decoder = new TextDecoder("utf-8");

export function formatOf(name) {
  return SUFFIXES[/\.[^.]*$/.exec(name.toLowerCase().replace(/\.gz$/, ""))?.[0]] ?? "csv";
}

// How the table in a blob of UTF-8 is written; what is not told is told from its first rows, and noted.
export async function dialectOf(blob, format, { delimiter, quotes = true } = {}) {
  if (format === "jsonl") return { dialect: { format }, notes: [] };
  const usual = format === "tsv" ? "\t" : ",";
  const sample = new Uint8Array(await blob.slice(0, SAMPLE_BYTES).arrayBuffer());
  const said = SAID_DELIMITER.exec(decoder.decode(sample).split(/[\r\n]/, 1)[0]);
  const found = delimiter ?? said?.[1] ?? likelyDelimiter(sample, usual, quotes);
  const notes = found === usual ? [] : [`cells are divided by ${DELIMITERS[found] ?? `'${found}'`}`];
  return { dialect: { format, delimiter: found, quotes }, notes };
}

// The one that divides the header and most rows into as many cells; the usual one among equals, or without any.
function likelyDelimiter(sample, usual, quotes) {
  let best = usual;
  let most = 0;
  for (const delimiter of [usual, ...Object.keys(DELIMITERS)]) {
    const widths = [];
    const scanner = new RowScanner({ format: "csv", delimiter, quotes, lenient: true }, (row, end, first, last, cells) => {
      widths.push(cells);
      return widths.length === SAMPLE_ROWS;
    });
    scanner.push(sample);
    scanner.finish();
    const share = widths[0] > 1 ? widths.filter((width) => width === widths[0]).length / widths.length : 0;
    if (share > most) [best, most] = [delimiter, share];
  }
  return best;
}

// The cells of a row that RowScanner has found to be well formed.
function splitRow(text, { delimiter, quotes }) {
  if (!quotes || !text.includes('"')) return text.split(delimiter);
  const cells = [];
  for (let at = 0; ; at += 1) {
    let cell = "";
    if (text[at] === '"') {
      for (let from = at + 1; ; from = at + 1) {
        const quote = text.indexOf('"', from);
        cell += text.slice(from, quote);
        at = quote + 1;
        if (text[at] !== '"') break;
        cell += '"';
      }
    } else {
      const end = text.indexOf(delimiter, at);
      cell = text.slice(at, end < 0 ? text.length : end);
      at += cell.length;
    }
    cells.push(cell);
    if (at >= text.length) return cells;
  }
}

// A row of JSON lines. Whole numbers that JavaScript can't hold stay as they were written. Throws BadTable.
function parseObject(text) {
  const keep = (_, value, context) =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "") ? context.source : value;
  let found = null;
  try {
    found = JSON.parse(text, /\d{16}/.test(text) ? keep : undefined);
  } catch {
    throw new BadTable("not JSON");
  }
  if (found === null || typeof found !== "object" || Array.isArray(found)) throw new BadTable("not a JSON object");
  return found;
}

// Tells header, rows and odd rows apart. `onRow` gets `{ row, end, first, last, read }`, where `read()` gives the cells by
// their columns; `onOdd(line, why)` gets a row that can't be read. Either stops the scan by returning true.
class TableReader extends RowScanner {
  constructor(dialect, { columns = null, onRow, onOdd = () => {} }) {
    super(dialect, (...row) => this.take(...row));
    this.dialect = dialect;
    this.columns = columns;
    this.headerEnd = 0;
    this.tell = { onRow, onOdd };
  }

  take(row, end, first, last, cells, broken) {
    const found = this.dialect.format === "jsonl" ? this.object(row, first) : this.divided(row, end, first, cells, broken);
    return found && this.tell.onRow({ row, end, first, last, read: found });
  }

  object(row, first) {
    const text = decoder.decode(row());
    if (!text.trim()) return null;
    try {
      const found = parseObject(text);
      this.columns ??= Object.keys(found);
      return () => found;
    } catch (error) {
      return this.odd(first, error.message);
    }
  }

  divided(row, end, first, cells, broken) {
    const split = () => splitRow(decoder.decode(row()), this.dialect);
    if (this.columns === null) {
      if (broken) throw new BadTable(`line ${first}: ${broken}`);
      if (first === 1 && SAID_DELIMITER.test(decoder.decode(row()))) return null;
      this.columns = header(split());
      this.headerEnd = end;
      return null;
    }
    if (broken) return this.odd(first, broken);
    const width = this.columns.length;
    if (cells < width || (cells > width && split().slice(width).some(Boolean))) {
      return this.odd(first, `${cells} ${cells === 1 ? "cell" : "cells"}, the header has ${width}`);
    }
    return () => {
      const values = split();
      return Object.fromEntries(this.columns.map((name, at) => [name, values[at]]));
    };
  }

  odd(line, why) {
    this.stopped ||= this.tell.onOdd(line, why) === true;
    return null;
  }
}

// Excel's empty columns at the end are none. Throws BadTable.
function header(columns) {
  while (columns.length > 0 && !columns.at(-1).trim()) columns.pop();
  if (columns.length === 0) throw new BadTable("There is no header line.");
  if (new Set(columns).size < columns.length) throw new BadTable("Two columns have the same name.");
  return columns;
}

async function feed(reader, blob, { seen = () => {}, digest } = {}) {
  for await (const piece of pieces(blob)) {
    digest?.push(piece);
    reader.push(piece);
    if (reader.stopped) return;
    seen(reader.offset);
  }
  reader.finish();
}

// Columns, and the first rows. Throws BadTable.
export async function preview(blob, dialect, most) {
  const rows = [];
  const reader = new TableReader(dialect, { onRow: ({ read }) => rows.push(read()) === most });
  const part = blob.size > PREVIEW_BYTES ? blob.slice(0, PREVIEW_BYTES) : blob;
  try {
    await feed(reader, part);
  } catch (error) {
    // What was cut through is no fault of the file.
    if (part === blob || rows.length === 0) throw error;
  }
  if (reader.columns === null) throw new BadTable("The file is empty.");
  return { columns: reader.columns, rows };
}

// Reads the whole table once and cuts it into windows of at most `mostRows` rows and some `mostBytes` bytes: always alike,
// so that a run that goes on later finds the same windows. `odd` are the rows that are left out, with their lines.
// Throws BadTable when they are too many, or the table can't be read at all.
export async function cut(blob, dialect, { mostRows, mostBytes, seen }) {
  const windows = [];
  const odd = [];
  const joins = new Joins(dialect);
  const digest = new Digest();
  let rows = 0;
  const onRow = (row) => {
    let window = windows.at(-1);
    if (!window || window.rows === mostRows || window.end - window.start >= mostBytes) {
      window = { first: rows, rows: 0, start: window?.end ?? reader.headerEnd, end: 0 };
      windows.push(window);
    }
    window.rows += 1;
    window.end = row.end;
    rows += 1;
    joins.look(row, reader.columns);
  };
  const onOdd = (line, why) => odd.push({ line, why }) > MOST_ODD;
  const reader = new TableReader(dialect, { onRow, onOdd });
  await feed(reader, blob, { seen, digest });
  if (reader.columns === null && odd.length === 0) throw new BadTable("The file is empty.");
  if (odd.length > Math.min(rows, MOST_ODD)) throw new BadTable(`Too many rows can't be read: ${oddly(odd)}`);
  return { columns: reader.columns, windows, rows, odd, notes: joins.notes(), digest: String(digest) };
}

export const oddly = (odd) => odd.slice(0, 3).map(({ line, why }) => `line ${line}: ${why}`).join("; ");

// Finds rows over several lines each of which could be a row itself, with a last cell that other rows have too.
class Joins {
  constructor({ format, delimiter }) {
    this.delimiter = format === "jsonl" ? null : delimiter;
    this.lastCells = new Set();
    this.joined = [];
    this.looked = 0;
  }

  look({ row, first, last, read }, columns) {
    if (this.delimiter === null) return;
    if ((this.looked += 1) <= MOST_LAST_CELLS) this.lastCells.add(read()[columns.at(-1)]);
    if (last === first) return;
    const parts = decoder.decode(row()).split(/\r\n|\r|\n/).map((line) => line.split(this.delimiter));
    if (parts.every((cells) => cells.length === columns.length)) this.joined.push([first, parts.slice(0, -1).map((cells) => cells.at(-1))]);
  }

  notes() {
    const found = this.joined.filter(([, cells]) => cells.some((cell) => this.lastCells.has(cell))).map(([line]) => line);
    if (found.length === 0) return [];
    return [`quotation marks join what looks like rows of their own: line ${found.slice(0, 3).join(", ")}`];
  }
}

// The rows of a window.
export async function rowsOf(blob, window, dialect, columns) {
  const rows = [];
  const reader = new TableReader(dialect, { columns, onRow: ({ read }) => void rows.push(read()) });
  reader.push(new Uint8Array(await blob.slice(window.start, window.end).arrayBuffer()));
  reader.finish();
  return rows;
}
