// Reading CSV, TSV and JSON lines byte by byte, so that a file may be larger than memory: by the rules of Python's csv
// module in its strict mode, and the same in every part of Retort.

const LF = 10;
const CR = 13;
const QUOTE_SIGN = 34;
const SUFFIXES = { ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl" };
const DELIMITERS = { csv: ",", tsv: "\t" };
const BARE = 1;
const QUOTED = 2;
const QUOTE = 3; // just after a quote inside quotes
const START = 0;
const PREVIEW_BYTES = 1 << 20;

// What the table can't be read for; names the line.
export class BadTable extends Error {}

export function formatOf(name) {
  return SUFFIXES[/\.[^.]*$/.exec(name.toLowerCase())?.[0]] ?? "csv";
}

export function dialectOf(format, delimiter) {
  return { format, delimiter: delimiter ?? DELIMITERS[format] ?? null };
}

// The cells of one row of CSV or TSV; null when its last quote is not closed. Throws BadTable.
export function splitRow(text, delimiter) {
  if (!text.includes('"')) return text.split(delimiter);
  const cells = [];
  for (let at = 0; ; ) {
    let cell = "";
    if (text[at] === '"') {
      for (let from = at + 1; ; ) {
        const quote = text.indexOf('"', from);
        if (quote < 0) return null;
        cell += text.slice(from, quote);
        at = quote + 1;
        if (text[at] !== '"') break;
        cell += '"';
        from = at + 1;
      }
      if (at < text.length && text[at] !== delimiter) throw new BadTable(`'${delimiter}' expected after '"'`);
    } else {
      const end = text.indexOf(delimiter, at);
      cell = text.slice(at, end < 0 ? text.length : end);
      at += cell.length;
    }
    cells.push(cell);
    if (at >= text.length) return cells;
    at += 1;
  }
}

// A row of JSON lines. Whole numbers that JavaScript can't hold stay as they were written.
export function parseObject(text) {
  const keep = (_, value, context) =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "") ? context.source : value;
  const found = JSON.parse(text, /\d{16}/.test(text) ? keep : undefined);
  if (found === null || typeof found !== "object" || Array.isArray(found)) throw new BadTable("not a JSON object");
  return found;
}

// Finds the rows in bytes that come in pieces. `onRow(bytes, end, line, cells)` gets a row without its line end, the
// offset behind that, the number of the row's last line, and how many cells it has; when it returns true, the scan stops.
// `high` and `low` are a digest of all bytes up to the row's end. Throws BadTable.
export class RowScanner {
  constructor(dialect, onRow) {
    this.quotes = dialect.format !== "jsonl";
    this.delimiter = this.quotes ? dialect.delimiter.charCodeAt(0) : -1;
    this.onRow = onRow;
    this.offset = 0;
    this.line = 0;
    this.state = START;
    this.cells = 1;
    this.afterReturn = false;
    this.rest = null;
    this.stopped = false;
    this.low = 0x811c9dc5;
    this.high = 0x01234567;
  }

  push(bytes) {
    let begin = 0; // of the row
    let { state, cells, afterReturn, low, high } = this;
    for (let i = 0; i < bytes.length; i += 1) {
      const byte = bytes[i];
      low = Math.imul(low ^ byte, 0x01000193);
      high = Math.imul(high + byte, 0x5bd1e995) ^ (high >>> 13);
      if (byte === LF || byte === CR) {
        const second = afterReturn && byte === LF;
        afterReturn = byte === CR;
        if (second) {
          if (state !== QUOTED) begin = i + 1;
          continue;
        }
        this.line += 1;
        if (state === QUOTED) continue;
        this.low = low;
        this.high = high;
        this.endRow(bytes.subarray(begin, i), this.offset + i + 1, cells);
        if (this.stopped) return;
        begin = i + 1;
        state = START;
        cells = 1;
        continue;
      }
      afterReturn = false;
      if (!this.quotes) continue;
      if (state === QUOTED) {
        if (byte === QUOTE_SIGN) state = QUOTE;
      } else if (byte === this.delimiter) {
        cells += 1;
        state = START;
      } else if (state === START) {
        state = byte === QUOTE_SIGN ? QUOTED : BARE;
      } else if (state === QUOTE) {
        if (byte !== QUOTE_SIGN) throw this.bad(`'${String.fromCharCode(this.delimiter)}' expected after '"'`);
        state = QUOTED;
      }
    }
    this.offset += bytes.length;
    if (begin < bytes.length) this.rest = joined(this.rest, bytes.subarray(begin));
    Object.assign(this, { state, cells, afterReturn, low, high });
  }

  // The last row may lack its line end.
  finish() {
    if (this.stopped) return;
    if (this.state === QUOTED) throw new BadTable(`after line ${this.line + !isLineEnd(this.rest.at(-1))}: a quote is never closed`);
    if (this.rest === null) return;
    this.line += 1;
    this.endRow(new Uint8Array(0), this.offset, this.cells);
  }

  endRow(bytes, end, cells) {
    const row = this.rest === null ? bytes : joined(this.rest, bytes);
    this.rest = null;
    if (row.length > 0) this.stopped = this.onRow(row, end, this.line, cells) === true;
  }

  bad(why) {
    return new BadTable(`line ${this.line + 1}: ${why}`);
  }
}

const isLineEnd = (byte) => byte === LF || byte === CR;

function joined(one, other) {
  if (one === null) return other.slice();
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

// The cells of a row by the names of their columns.
export function cellsOf(bytes, dialect, columns) {
  const text = decoder.decode(bytes);
  if (dialect.format === "jsonl") return parseObject(text);
  return Object.fromEntries(splitRow(text, dialect.delimiter).map((cell, number) => [columns[number], cell]));
}

// Feeds a scanner with a blob, a byte order mark left out. `seen` hears how many bytes are done.
async function feed(scanner, blob, { seen = () => {}, signal } = {}) {
  const fatal = new TextDecoder("utf-8", { fatal: true });
  const mark = new Uint8Array(await blob.slice(0, 3).arrayBuffer());
  const marked = mark[0] === 0xef && mark[1] === 0xbb && mark[2] === 0xbf ? 3 : 0;
  scanner.offset = marked;
  const reader = blob.slice(marked).stream().getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      signal?.throwIfAborted();
      check(fatal, value, scanner);
      scanner.push(value);
      if (scanner.stopped) return;
      seen(scanner.offset);
    }
    check(fatal, null, scanner);
    scanner.finish();
  } finally {
    reader.cancel().catch(() => {});
  }
}

// Throws BadTable for bytes that are no UTF-8.
function check(fatal, bytes, scanner) {
  try {
    fatal.decode(bytes ?? new Uint8Array(0), { stream: bytes !== null });
  } catch {
    const [before] = decoder.decode(bytes ?? new Uint8Array(0)).split("\ufffd", 1);
    const line = scanner.line + before.split("\n").length;
    throw new BadTable(`line ${line}: not UTF-8. In Excel, save it as “CSV UTF-8 (Comma delimited)”`);
  }
}

// Columns, and the first rows with what is in them. Throws BadTable.
export async function preview(blob, dialect, most) {
  const rows = [];
  let columns = null;
  const scanner = new RowScanner(dialect, (bytes, end, line, cells) => {
    if (columns === null) {
      columns = header(bytes, dialect);
      if (dialect.format !== "jsonl") return false;
    }
    checkWidth(columns, cells, line, dialect);
    rows.push(object(bytes, dialect, columns, line));
    return rows.length === most;
  });
  const head = blob.size > PREVIEW_BYTES ? blob.slice(0, PREVIEW_BYTES) : blob;
  try {
    await feed(scanner, head);
  } catch (error) {
    // What was cut through is no fault of the file.
    if (head === blob || rows.length === 0) throw error;
  }
  if (columns === null) throw new BadTable("the file is empty");
  return { columns, rows };
}

// Reads the whole table once and cuts it into windows of at most `mostRows` rows and some `mostBytes` bytes: always
// alike, so that a run that goes on later finds the same windows. Throws BadTable, which names the first broken line.
export async function cut(blob, dialect, { mostRows, mostBytes, seen, signal }) {
  const windows = [];
  let columns = null;
  let rows = 0;
  let open = 0;
  let high = 0;
  let low = 0;
  const scanner = new RowScanner(dialect, (bytes, end, line, cells) => {
    if (columns === null) {
      columns = header(bytes, dialect);
      if (dialect.format !== "jsonl") {
        open = end;
        return;
      }
    }
    checkWidth(columns, cells, line, dialect);
    if (dialect.format === "jsonl") object(bytes, dialect, columns, line);
    const last = windows.at(-1);
    const full = !last || last.rows === mostRows || last.end - last.start >= mostBytes;
    if (full) {
      if (last) last.digest = hexadecimal(high, low);
      windows.push({ first: rows, rows: 0, start: last?.end ?? open, end: 0, line, digest: "" });
    }
    const window = windows.at(-1);
    window.rows += 1;
    window.end = end;
    rows += 1;
    high = scanner.high;
    low = scanner.low;
  });
  await feed(scanner, blob, { seen, signal });
  if (columns === null) throw new BadTable("the file is empty");
  const digest = hexadecimal(scanner.high, scanner.low);
  if (windows.length > 0) windows.at(-1).digest = digest;
  return { columns, windows, rows, digest };
}

const hexadecimal = (...halves) => halves.map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");

// The rows of a window.
export async function rowsOf(blob, window, dialect, columns) {
  const rows = [];
  const scanner = new RowScanner(dialect, (bytes) => void rows.push(cellsOf(bytes, dialect, columns)));
  const part = blob.slice(window.start, window.end);
  scanner.push(unmarked(new Uint8Array(await part.arrayBuffer()), window.start));
  scanner.finish();
  return rows;
}

const unmarked = (bytes, start) => (start === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes);

function header(bytes, dialect) {
  const text = decoder.decode(bytes);
  if (dialect.format === "jsonl") return Object.keys(object(bytes, dialect, null, 1));
  const columns = splitRow(text, dialect.delimiter);
  if (new Set(columns).size < columns.length) throw new BadTable("two columns have the same name");
  return columns;
}

function object(bytes, dialect, columns, line) {
  try {
    return cellsOf(bytes, dialect, columns);
  } catch (error) {
    throw new BadTable(`line ${line}: ${error instanceof BadTable ? error.message : "not valid JSON"}`);
  }
}

function checkWidth(columns, cells, line, dialect) {
  if (dialect.format !== "jsonl" && cells !== columns.length) {
    throw new BadTable(`line ${line}: ${cells} ${cells === 1 ? "column" : "columns"}, the header has ${columns.length}`);
  }
}

// What a file is that is no table of text, by its first bytes; null for one that may be.
export async function misfit(file) {
  const start = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  const begins = (...bytes) => bytes.every((byte, number) => start[number] === byte);
  if (/\.(xlsx?|xlsm|ods|numbers)$/i.test(file.name) || begins(0xd0, 0xcf, 0x11, 0xe0) || begins(0x50, 0x4b, 3, 4)) {
    return "This is a spreadsheet. Open it and save the sheet as CSV: in Excel, File, Save as, “CSV UTF-8 (Comma delimited)”; " +
      "in LibreOffice or Numbers, export as CSV. Then drop that file here.";
  }
  if (begins(0xff, 0xfe) || begins(0xfe, 0xff)) {
    return "This file is written in UTF-16. Save it as UTF-8: in Excel, “CSV UTF-8 (Comma delimited)”.";
  }
  if (begins(0x1f, 0x8b)) return "This file is compressed. Unpack it first.";
  if (begins(0x50, 0x41, 0x52, 0x31)) return "This is a Parquet file, which a browser can't read. Write it as CSV or JSON lines.";
  return null;
}

// The delimiter that a header line speaks for, where the usual one does not occur in it.
export async function guessDelimiter(file, format) {
  if (format !== "csv") return DELIMITERS[format] ?? null;
  const [first] = decoder.decode(await file.slice(0, 65536).arrayBuffer()).split(/[\r\n]/, 1);
  if (first.includes(",")) return ",";
  return [";", "\t"].find((sign) => first.includes(sign)) ?? ",";
}
