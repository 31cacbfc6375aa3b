// The answers of a table, a dozen bytes a row.

const TRUNCATED = 1;
const MARKS = { review: 2, unfamiliar: 4, unknown: 8 };

export class Answers {
  // `labels` has what rows were answered: a label, or a list of them where a text may have several. A row holds the
  // number of its entry, counted from 1, or 0 while it has no answer.
  constructor(rows, labels) {
    this.rows = rows;
    this.names = labels;
    this.label = new Uint32Array(rows);
    this.score = new Float32Array(rows);
    this.tokens = new Uint16Array(rows);
    this.flags = new Uint8Array(rows);
    this.errors = new Map();
    this.counts = new Map();
    this.numbers = new Map(labels.map((held, number) => [key(held), number + 1]));
    this.done = 0;
  }

  has(row) {
    return this.label[row] > 0 || this.errors.has(row);
  }

  // An answer of the service, for a row that has none.
  put(row, answer) {
    if (this.has(row)) return;
    this.done += 1;
    if (answer.error) return void this.errors.set(row, answer.error);
    const held = answer.labels ? answer.labels.map(({ label }) => label) : answer.label;
    this.label[row] = this.number(held);
    this.score[row] = answer.score ?? answer.labels[0]?.score ?? 0;
    this.tokens[row] = Math.min(answer.tokens, 65535);
    this.flags[row] = marked(answer);
    this.count(held);
  }

  number(held) {
    if (!this.numbers.has(key(held))) this.numbers.set(key(held), this.names.push(held));
    return this.numbers.get(key(held));
  }

  count(held) {
    for (const name of [held].flat()) this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  // The marks that any row has.
  get marks() {
    const all = this.flags.reduce((some, flags) => some | flags, 0);
    return Object.keys(MARKS).filter((name) => all & MARKS[name]);
  }

  // Whether a row may have several labels.
  get several() {
    return this.names.some(Array.isArray);
  }

  // The answer of a row as it is written beside it; null while there is none.
  at(row) {
    const error = this.errors.get(row);
    if (error) return { error: error.code, detail: error.detail };
    if (this.label[row] === 0) return null;
    const flags = this.flags[row];
    return {
      label: this.names[this.label[row] - 1], // or a list of them, best first; the score is the best one's
      score: Number(this.score[row].toFixed(6)),
      tokens: this.tokens[row],
      truncated: (flags & TRUNCATED) > 0,
      ...Object.fromEntries(Object.entries(MARKS).map(([name, flag]) => [name, (flags & flag) > 0])),
    };
  }

  // A window's answers, as they are kept.
  slice({ first, rows }) {
    const end = first + rows;
    const errors = [];
    for (let row = first; row < end; row += 1) if (this.errors.has(row)) errors.push([row, this.errors.get(row)]);
    const [label, score, tokens, flags] = ["label", "score", "tokens", "flags"].map((name) => this[name].slice(first, end));
    return { first, label, score, tokens, flags, errors };
  }

  restore({ first, label, score, tokens, flags, errors }) {
    for (const [name, values] of Object.entries({ label, score, tokens, flags })) this[name].set(values, first);
    for (const [row, error] of errors) this.errors.set(row, error);
    for (const number of label) if (number > 0) this.count(this.names[number - 1]);
    this.done += label.length;
  }

  // Numbers of the rows that fit: `label` is a name, null for any; `errors` wants those without a label.
  matching({ label = null, least = 0, most = 1, errors = false }) {
    if (errors) return Uint32Array.from(this.errors.keys()).sort();
    const wanted = this.names.map((held) => label === null || [held].flat().includes(label));
    const found = [];
    for (let row = 0; row < this.rows; row += 1) {
      const number = this.label[row];
      if (number === 0 || !wanted[number - 1]) continue;
      const score = Number(this.score[row].toFixed(6));
      if (score >= least && score <= most) found.push(row);
    }
    return Uint32Array.from(found);
  }
}

// `unknown` is a share, and there when it is notable.
const marked = (answer) =>
  Object.entries(MARKS).reduce((flags, [name, flag]) => flags + flag * Boolean(answer[name]), TRUNCATED * answer.truncated);

const key = (held) => JSON.stringify(held); // a label that looks like a list is none
