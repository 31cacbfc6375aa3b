// From a file as people have it to UTF-8: gzip and the encoding are told from its bytes, and what was told is noted.

import { pieces } from "./pieces.js";
import { BadTable } from "./row-scanner.js";

const HEAD = 1 << 16;
const BEGINNING = 1 << 20;
const GZIP = [0x1f, 0x8b];
const MARKS = [
  [[0xef, 0xbb, 0xbf], "utf-8"],
  [[0xff, 0xfe, 0, 0], "utf-32"],
  [[0, 0, 0xfe, 0xff], "utf-32"],
  [[0xff, 0xfe], "utf-16le"],
  [[0xfe, 0xff], "utf-16be"],
];
const OTHERWISE = "windows-1252"; // what is not UTF-8, without a mark
const WORKBOOK =
  "This is a spreadsheet. Open it and save the sheet as CSV: in Excel, File, Save as, “CSV UTF-8 (Comma delimited)”; " +
  "in LibreOffice or Numbers, export as CSV. Then drop that file here.";

const begins = (bytes, start) => start.every((byte, at) => bytes[at] === byte);

const head = async (blob, size = HEAD) => new Uint8Array(await blob.slice(0, size).arrayBuffer());

// The first lines of a file as a blob of UTF-8: what shows at once what a file of any size holds. Throws BadTable.
export async function beginning(file) {
  const packed = begins(await head(file, 2), GZIP);
  const bytes = packed ? await unpackedHead(file) : await head(file, BEGINNING);
  const stream = packed || bytes.length < file.size; // whatever stands at the end may go on
  const { mark, encoding } = look(file, bytes);
  const found = encoding ?? (isUtf8Piece(bytes, stream) ? "utf-8" : OTHERWISE);
  const text = new TextDecoder(found).decode(bytes.subarray(mark.length), { stream });
  const end = Math.max(text.lastIndexOf("\n"), text.lastIndexOf("\r")) + 1;
  return new Blob([stream && end > 0 ? text.slice(0, end) : text]);
}

// The file as a blob of UTF-8 without a mark, and what was told from it: the file itself where it is that already. An
// `encoding` goes before what the file looks like; `seen` hears how many bytes were looked at. Throws BadTable.
export async function prepared(file, { encoding, seen } = {}) {
  const packed = begins(await head(file, 2), GZIP);
  const blob = packed ? await unpacked(file) : file;
  const { mark, marked, encoding: likely } = look(file, await head(blob));
  const found = encoding ?? likely ?? ((await isUtf8(blob, seen)) ? "utf-8" : OTHERWISE);
  const notes = packed ? ["gzip"] : [];
  if (marked) notes.push(`${marked.replace(/[lb]e$/, "")} with a byte order mark`);
  else if (!encoding && found !== "utf-8") notes.push(`not utf-8, read as ${found.replace("windows-", "cp").replace(/[lb]e$/, "")}`);
  const rest = mark.length > 0 ? blob.slice(mark.length) : blob;
  if (found === "utf-8") {
    if ((marked || encoding) && !(await isUtf8(rest, seen))) throw new BadTable("The file is not UTF-8, though it says so.");
    return { blob: rest, notes };
  }
  return { blob: await transcoded(rest, found), notes };
}

// What the first bytes say of the encoding: its mark, and its name, or null where that takes all bytes. Throws BadTable.
function look(file, start) {
  refuse(file.name ?? "", start);
  const [mark, marked] = MARKS.find(([bytes]) => begins(start, bytes)) ?? [[], null];
  if (marked === "utf-32") throw new BadTable("This file is written in UTF-32. Save it as UTF-8.");
  return { mark, marked, encoding: marked ?? unmarked(start.subarray(0, HEAD)) };
}

const unpacking = (blob) => blob.stream().pipeThrough(new DecompressionStream("gzip"));

async function unpacked(blob) {
  try {
    return await new Response(unpacking(blob)).blob();
  } catch {
    throw new BadTable("The file is broken gzip: a part of it is missing or damaged.");
  }
}

// As much as comes out; what is wrong with the rest is told by whoever reads it all.
async function unpackedHead(blob) {
  const reader = unpacking(blob).getReader();
  const parts = [];
  let size = 0;
  for (let part = {}; size < BEGINNING && !part.done; ) {
    part = await reader.read().catch(() => ({ done: true }));
    if (part.value) parts.push(part.value);
    size += part.value?.length ?? 0;
  }
  reader.cancel().catch(() => {});
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

const transcoded = (blob, encoding) =>
  new Response(blob.stream().pipeThrough(new TextDecoderStream(encoding)).pipeThrough(new TextEncoderStream())).blob();

// Throws BadTable for what is no table of text at all.
function refuse(name, start) {
  if (/\.(xlsx?|xlsm|ods|numbers)$/i.test(name) || begins(start, [0xd0, 0xcf, 0x11, 0xe0]) || begins(start, [0x50, 0x4b, 3, 4])) {
    throw new BadTable(WORKBOOK);
  }
  if (begins(start, [0x50, 0x41, 0x52, 0x31])) {
    throw new BadTable("This is a Parquet file, which a browser can't read. Write it as CSV or JSON lines.");
  }
}

// Every second byte of mostly Latin text in UTF-16 is 0.
function unmarked(start) {
  const zeros = [0, 0];
  start.forEach((byte, at) => (zeros[at % 2] += byte === 0));
  const most = 0.2 * start.length;
  if (zeros[1] > most) return "utf-16le";
  return zeros[0] > most ? "utf-16be" : null;
}

async function isUtf8(blob, seen = () => {}) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let done = 0;
  try {
    for await (const piece of pieces(blob)) {
      decoder.decode(piece, { stream: true });
      seen((done += piece.length));
    }
    decoder.decode();
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

function isUtf8Piece(bytes, stream) {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream });
    return true;
  } catch {
    return false;
  }
}
