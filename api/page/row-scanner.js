// Where rows begin and end in the bytes of a table, by the rules of Python's csv module in its strict mode.

const LF = 10;
const CR = 13;
const QUOTE_SIGN = 34;

const START = 0; // of a cell
const BARE = 1;
const QUOTED = 2;
const QUOTE = 3; // just after a quotation mark inside quotation marks
const BROKEN = 4; // the rest of a line that can't be read

// What a table can't be read for.
export class BadTable extends Error {}

// Takes UTF-8 in pieces. `onRow(row, end, first, last, cells, broken)` gets each row that is not empty: `row()` gives its
// bytes without the line end; then the offset behind that, the lines it begins and ends on, how many cells it has, and why
// it can't be read. When it returns true, the scan stops. Throws BadTable.
export class RowScanner {
  constructor({ format, delimiter, quotes = true, lenient = false }, onRow) {
    this.delimited = format !== "jsonl";
    this.delimiter = this.delimited ? delimiter.charCodeAt(0) : -1;
    this.quoteSign = quotes ? QUOTE_SIGN : -1;
    this.lenient = lenient;
    this.onRow = onRow;
    this.offset = 0;
    this.line = 0;
    this.first = 1;
    this.state = START;
    this.cells = 1;
    this.afterReturn = false;
    this.rest = null;
    this.stopped = false;
  }

  push(bytes) {
    const { delimited, delimiter, quoteSign, lenient } = this;
    let begin = 0; // of the row
    let { state, cells, afterReturn } = this;
    for (let i = 0; i < bytes.length; i += 1) {
      const byte = bytes[i];
      if (byte === LF || byte === CR) {
        const second = afterReturn && byte === LF;
        afterReturn = byte === CR;
        if (second) {
          if (state !== QUOTED) begin = i + 1;
          continue;
        }
        this.line += 1;
        if (state === QUOTED) continue;
        this.endRow(bytes, begin, i, cells, state === BROKEN);
        if (this.stopped) return;
        begin = i + 1;
        state = START;
        cells = 1;
        continue;
      }
      afterReturn = false;
      if (!delimited || state === BROKEN) continue;
      if (state === QUOTED) {
        if (byte === quoteSign) state = QUOTE;
      } else if (byte === delimiter) {
        cells += 1;
        state = START;
      } else if (state === START) {
        state = byte === quoteSign ? QUOTED : BARE;
      } else if (state === QUOTE) {
        if (byte === quoteSign) state = QUOTED;
        else state = lenient ? BARE : BROKEN;
      }
    }
    this.offset += bytes.length;
    if (begin < bytes.length) this.rest = joined(this.rest, bytes.subarray(begin));
    Object.assign(this, { state, cells, afterReturn });
  }

  // The last row may lack its line end.
  finish() {
    if (this.stopped) return;
    if (this.state === QUOTED && !this.lenient) throw new BadTable(`line ${this.first}: a quotation mark is never closed`);
    if (this.rest === null) return;
    this.line += 1;
    this.endRow(new Uint8Array(0), 0, -1, this.cells, this.state === BROKEN);
  }

  // A row is cut out of the bytes only for whoever asks for it: millions of small pieces would fill the memory.
  endRow(bytes, begin, end, cells, broken) {
    const { first, rest } = this;
    this.rest = null;
    this.first = this.line + 1;
    if (rest === null && end <= begin) return;
    const part = () => bytes.subarray(begin, Math.max(end, begin));
    const row = () => (rest === null ? part() : joined(rest, part()));
    const why = broken ? `'${String.fromCharCode(this.delimiter)}' expected after '"'` : "";
    this.stopped = this.onRow(row, this.offset + end + 1, first, this.line, cells, why) === true;
  }
}

function joined(one, other) {
  if (one === null) return other.slice();
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}
