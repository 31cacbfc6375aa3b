// From a file as people have it to UTF-8: gzip and the encoding are told from its bytes, and what was told is noted.

import { pieces } from "./pieces.js";
import { BadTable } from "./row-scanner.js";

const HEAD = 1 << 16;
const MARKS = [
  [[0xef, 0xbb, 0xbf], "utf-8"],
  [[0xff, 0xfe, 0, 0], "utf-32"],
  [[0, 0, 0xfe, 0xff], "utf-32"],
  [[0xff, 0xfe], "utf-16le"],
  [[0xfe, 0xff], "utf-16be"],
];
const WORKBOOK =
  "This is a spreadsheet. Open it and save the sheet as CSV: in Excel, File, Save as, “CSV UTF-8 (Comma delimited)”; " +
  "in LibreOffice or Numbers, export as CSV. Then drop that file here.";

const begins = (bytes, start) => start.every((byte, at) => bytes[at] === byte);

const head = async (blob, size = HEAD) => new Uint8Array(await blob.slice(0, size).arrayBuffer());

// The file as a blob of UTF-8 without a mark, and what was told from it: the file itself where it is that already. An
// `encoding` goes before what the file looks like. Throws BadTable.
export async function prepared(file, encoding) {
  const notes = [];
  let blob = file;
  if (begins(await head(blob, 2), [0x1f, 0x8b])) {
    blob = await unpacked(blob);
    notes.push("gzip");
  }
  const start = await head(blob);
  refuse(file.name ?? "", start);
  const [mark, marked] = MARKS.find(([bytes]) => begins(start, bytes)) ?? [[], null];
  if (marked) notes.push(`${marked.replace(/[lb]e$/, "")} with a byte order mark`);
  if (marked === "utf-32") throw new BadTable("This file is written in UTF-32. Save it as UTF-8.");
  const found = encoding ?? marked ?? unmarked(start) ?? ((await isUtf8(blob)) ? "utf-8" : "windows-1252");
  if (!marked && !encoding && found !== "utf-8") notes.push(`not utf-8, read as ${found.replace("windows-", "cp").replace(/[lb]e$/, "")}`);
  const rest = mark.length > 0 ? blob.slice(mark.length) : blob;
  if (found === "utf-8") {
    if ((marked || encoding) && !(await isUtf8(rest))) throw new BadTable("The file is not UTF-8, though it says so.");
    return { blob: rest, notes };
  }
  return { blob: await transcoded(rest, found), notes };
}

async function unpacked(blob) {
  try {
    return await new Response(blob.stream().pipeThrough(new DecompressionStream("gzip"))).blob();
  } catch {
    throw new BadTable("The file is broken gzip: a part of it is missing or damaged.");
  }
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

async function isUtf8(blob) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for await (const piece of pieces(blob)) decoder.decode(piece, { stream: true });
    decoder.decode();
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}
