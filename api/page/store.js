// What outlives the tab: the run of a file, the file itself where it is not too large, and its answers, in IndexedDB.
// There is one run at a time.

const STORES = ["run", "file", "answers"];
const CURRENT = "current";
const WINDOWS = "windows"; // of the current run: tens of thousands, which do not change with each answer

let opened = null;

function database() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("retort", 1);
    request.onupgradeneeded = () => STORES.forEach((name) => request.result.createObjectStore(name));
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

const result = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

// Resolves once what `work` writes is on disk.
async function written(work) {
  const transaction = (await database()).transaction(STORES, "readwrite", { durability: "strict" });
  const done = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
  work(...STORES.map((name) => transaction.objectStore(name)));
  return done;
}

async function read(name, ask) {
  return result(ask((await database()).transaction(name).objectStore(name)));
}

// The run with its file (null when the browser did not keep it) and the answers of its windows, or null.
export async function load() {
  const run = await read("run", (store) => store.get(CURRENT));
  if (!run) return null;
  run.windows = await read("run", (store) => store.get(WINDOWS));
  const file = await read("file", (store) => store.get(CURRENT));
  return { run, file: file ?? null, answers: await read("answers", (store) => store.getAll()) };
}

// Forgets the run before. Whether the browser keeps the file too.
export async function begin(run, file) {
  await clear();
  await saveAll(run);
  if (file === null) return false;
  try {
    await written((_, files) => files.put(file, CURRENT));
    return true;
  } catch {
    return false; // the disk or the browser's share of it is full
  }
}

export const save = (run) => written((runs) => runs.put(small(run), CURRENT));

// With the windows.
export const saveAll = (run) =>
  written((runs) => {
    runs.put(run.windows, WINDOWS);
    runs.put(small(run), CURRENT);
  });

const small = ({ windows, ...rest }) => rest;

// A window is done: its answers and the progress are written together.
export const keep = (run, number, answers) =>
  written((runs, _, all) => {
    all.put(answers, number);
    runs.put(small(run), CURRENT);
  });

export const clear = () => written((...stores) => stores.forEach((store) => store.clear()));
