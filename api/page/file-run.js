// A file on its way: windows out as jobs, answers back in order, progress kept so that a closed tab can go on.

import { Answers } from "./answers.js";
import { ServiceError, ask, askJson, lines, patiently } from "./service.js";
import * as store from "./store.js";
import { prepared } from "./table-bytes.js";
import { cut, rowsOf } from "./tables.js";

export const WINDOW_ROWS = 1000;
const WINDOW_BYTES = 1 << 20;
const PREFETCH = 3; // windows that wait at the service behind the one that is read
const MOST_SENDINGS = 10;
const MOST_KEPT_BYTES = 200e6; // a larger file is asked for again after a reload
const RATE_OVER_S = 20;
const LOCK = "retort-file";

export class FileRun extends EventTarget {
  // States: running, elsewhere (another tab works on it), needs-file, stopped, failed, done.
  constructor(record, file) {
    super();
    this.record = record;
    this.file = file; // as UTF-8, or null while the browser has not got it
    this.answers = new Answers(record.rows, record.labels);
    this.state = record.state;
    this.trouble = "";
    this.seen = [];
  }

  // A new run of a file, which `blob` is as UTF-8; the one before is forgotten.
  static async start(file, { blob, dialect, table, column, model }) {
    const record = {
      id: crypto.getRandomValues(new Uint32Array(4)).join("-"),
      name: file.name, size: file.size, digest: table.digest, dialect, column, model,
      columns: table.columns, windows: table.windows, rows: table.rows,
      mostRows: WINDOW_ROWS, labels: [], done: 0, state: "running",
    };
    await store.begin(record, blob.size <= MOST_KEPT_BYTES ? blob : null);
    return new FileRun(record, blob);
  }

  // The run that was there when the page was closed, or null.
  static async restored() {
    const found = await store.load();
    if (!found) return null;
    const run = new FileRun(found.run, found.file);
    for (const answers of found.answers) run.answers.restore(answers);
    if (run.state === "running" && !run.file) run.state = "needs-file";
    return run;
  }

  get rowsLeft() {
    return this.record.rows - this.answers.done;
  }

  // Rows a second of late, and the seconds that the rest takes at that rate; null while nothing is known.
  get pace() {
    const [first] = this.seen;
    const last = this.seen.at(-1);
    if (!first || last.at - first.at < 1000 || last.done === first.done) return null;
    const rate = ((last.done - first.done) * 1000) / (last.at - first.at);
    return { rate, left: this.rowsLeft / rate };
  }

  // Takes the same file again. Whether it is the same; `seen` hears what share of it was looked at.
  async offer(file, seen) {
    const { dialect, digest, rows } = this.record;
    if (file.size !== this.record.size) return false;
    const { blob } = await prepared(file, { seen: (done) => seen((0.5 * done) / file.size) });
    const more = (done) => seen(0.5 + (0.5 * done) / blob.size);
    const table = await cut(blob, dialect, { ...WINDOWS, mostRows: this.record.mostRows, seen: more });
    if (table.digest !== digest || table.rows !== rows) return false;
    this.file = blob;
    return true;
  }

  // Resolves when the run has ended, one way or the other.
  async go() {
    const work = async () => {
      this.stopping = new AbortController();
      await this.become("running");
      try {
        await this.answerAll();
        await this.become("done");
      } catch (error) {
        if (error.name === "AbortError") return;
        this.trouble = error.message;
        await this.become("failed");
      }
    };
    if (!navigator.locks) return work();
    // Only one tab works on a file; another waits until it is closed.
    const alone = await navigator.locks.request(LOCK, { ifAvailable: true }, (lock) => lock !== null && work().then(() => true));
    if (alone) return;
    this.state = "elsewhere";
    this.changed();
    await navigator.locks.request(LOCK, () => location.reload()); // what the other tab did is in the store
  }

  async become(state) {
    this.state = state;
    this.record.state = state;
    this.changed();
    await store.save(this.record);
  }

  changed() {
    const now = performance.now();
    this.seen.push({ at: now, done: this.answers.done });
    while (this.seen.length > 2 && now - this.seen[0].at > RATE_OVER_S * 1000) this.seen.shift();
    this.dispatchEvent(new Event("change"));
  }

  // Stops, and deletes what waits at the service. The answers so far stay.
  async stop() {
    this.stopping?.abort();
    await this.become("stopped");
    await Promise.allSettled([...this.open ?? []].map((job) => this.forget(job)));
  }

  // Deletes a job at the service, which would forget it by itself in time.
  async forget(job) {
    if (this.open.delete(job)) await ask(`/jobs/${job}`, { method: "DELETE" });
  }

  async answerAll() {
    for (;;) {
      try {
        return await this.answerWindows();
      } catch (error) {
        if (!isTooMany(error) || this.record.done > 0 || this.record.mostRows === 1) throw error;
        await this.halve();
      }
    }
  }

  // A key may send fewer texts a request than a window has. Nothing of the file is answered yet, so it is cut anew.
  async halve() {
    this.record.mostRows = Math.ceil(this.record.mostRows / 2);
    const { windows } = await cut(this.file, this.record.dialect, { ...WINDOWS, mostRows: this.record.mostRows });
    this.record.windows = windows;
    await store.saveAll(this.record);
  }

  async answerWindows() {
    this.open = new Set();
    const { windows } = this.record;
    const sent = [];
    for (let number = this.record.done; number < windows.length || sent.length > 0; number += 1) {
      if (number < windows.length) sent.push(await this.send(number, 0));
      if (sent.length > PREFETCH || number >= windows.length) await this.read(sent.shift());
    }
  }

  patient(work) {
    const { signal } = this.stopping;
    const told = (error, pause) => {
      this.trouble = `${error.message} Trying again in ${Math.ceil(pause)} s.`;
      this.changed();
    };
    return patiently(work, { signal, told }).finally(() => (this.trouble = ""));
  }

  // Hands in a window under a key that decides its job, so that a run that goes on finds the jobs it left.
  async send(number, sending) {
    const window = this.record.windows[number];
    const texts = (await rowsOf(this.file, window, this.record.dialect, this.record.columns)).map((cells) => cells[this.record.column]);
    const kept = texts.map((text, at) => at).filter((at) => typeof texts[at] === "string");
    const refused = new Map(texts.flatMap((text, at) => (typeof text === "string" ? [] : [[at, this.noText()]])));
    for (; sending < MOST_SENDINGS; sending += 1) {
      const job = await this.submit(number, sending, texts, kept, refused);
      if (job === null) return { number, sending, kept, refused, job: null };
      if (job !== undefined && !["cancelled", "expired"].includes(job.status)) {
        this.open.add(job.id);
        return { number, sending, kept, refused, job };
      }
    }
    throw new Error(`${MOST_SENDINGS} jobs were given up before they ran. Does a worker run?`);
  }

  noText() {
    return { code: "no-text", detail: `there is no text in “${this.record.column}”` };
  }

  // The job; null when there is nothing to ask, undefined when the key's job is gone.
  async submit(number, sending, texts, kept, refused) {
    const { id, digest, model, mostRows } = this.record;
    const headers = { Prefer: "respond-async", "Idempotency-Key": `${id}-${digest}-${mostRows}-${number}-${sending}` };
    while (kept.length > 0) {
      const body = { texts: kept.map((at) => texts[at]), ...(model ? { model } : {}) };
      try {
        const { signal } = this.stopping;
        return await this.patient(() => askJson("/predict", { method: "POST", headers, body, signal }));
      } catch (error) {
        if (error.status === 410) return undefined;
        const found = refusedTexts(error);
        if (found.length === 0) throw error;
        for (const [place, detail] of found) refused.set(kept[place], { code: "refused", detail });
        kept.splice(0, kept.length, ...kept.filter((at) => !refused.has(at)));
      }
    }
    return null;
  }

  // Puts the window's answers beside its rows; sends it again when its job is gone before all are read.
  async read(sent) {
    for (;;) {
      try {
        await this.answered(sent);
        break;
      } catch (error) {
        if (!(error instanceof ServiceError) || ![404, 410].includes(error.status)) throw error;
        sent = await this.send(sent.number, sent.sending + 1);
      }
    }
    const { record } = this;
    record.done = sent.number + 1;
    await store.keep(record, sent.number, this.answers.slice(record.windows[sent.number]));
    this.changed();
    if (sent.job) this.forget(sent.job.id).catch(() => {});
  }

  async answered({ number, kept, refused, job }) {
    const { first } = this.record.windows[number];
    for (const [at, error] of refused) this.answers.put(first + at, { error });
    let next = 0;
    const { signal } = this.stopping;
    while (job && next < kept.length) {
      await this.patient(async () => {
        const found = await ask(`/jobs/${job.id}/results?from=${next}`, { headers: { Accept: "application/x-ndjson" }, signal });
        for await (const { index, ...answer } of lines(found)) {
          if (answer.error?.code === "not-predicted") throw new ServiceError(410, answer.error, null);
          this.answers.put(first + kept[next], answer);
          next += 1;
          if (next % 64 === 0) this.changed();
        }
      });
    }
  }
}

export const WINDOWS = { mostRows: WINDOW_ROWS, mostBytes: WINDOW_BYTES };

const isTooMany = (error) =>
  error instanceof ServiceError && (error.status === 413 || error.errors.some(({ pointer }) => pointer === "/texts"));

// What the service has against single texts, by their places in the request.
function refusedTexts(error) {
  if (!(error instanceof ServiceError) || error.status !== 422) return [];
  return error.errors.flatMap(({ pointer, detail }) => {
    const place = /^\/texts\/(\d+)$/.exec(pointer ?? "");
    return place ? [[Number(place[1]), detail]] : [];
  });
}
