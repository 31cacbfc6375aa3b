// Asking the service: the key, its problems, and when to ask again.

const KEY = "retort-key";
const TRY_AGAIN = new Set([429, 502, 503, 504]);
const FIRST_PAUSE_S = 0.5;
const LONGEST_PAUSE_S = 15;

export class ServiceError extends Error {
  constructor(status, document, retryAfter) {
    super(document.detail ?? document.title ?? `the service answered with status ${status}`);
    this.status = status;
    this.kind = (document.type ?? "").split("#").pop();
    this.errors = document.errors ?? [];
    this.retryAfter = retryAfter;
  }
}

export class Unreachable extends Error {}

// The key is kept for this tab, and is sent in a header only.
export const keys = {
  get: () => sessionStorage.getItem(KEY),
  set: (key) => sessionStorage.setItem(KEY, key),
  forget: () => sessionStorage.removeItem(KEY),
};

let asking = null;

// One question at a time, whoever needs the answer.
function askForKey(detail) {
  asking ??= document.querySelector("key-dialog").ask(detail).finally(() => (asking = null));
  return asking;
}

// The answer, once it is a good one. Asks for a key where one is needed, unless `quiet`. Throws ServiceError, Unreachable,
// or AbortError.
export async function ask(address, options = {}) {
  const key = keys.get();
  const answer = await sent(address, options, key);
  if (answer.ok) return answer;
  const error = await refusal(answer);
  if (answer.status !== 401 || options.quiet) throw error;
  if (keys.get() === key) {
    keys.forget();
    if (!(await askForKey(key === null ? "" : "The service does not know this key."))) throw error;
  }
  return ask(address, options);
}

export const askJson = async (address, options) => (await ask(address, options)).json();

async function sent(address, { body, headers, quiet, ...options }, key) {
  const all = { ...headers };
  if (key) all.Authorization = `Bearer ${key}`;
  if (body !== undefined) all["Content-Type"] = "application/json";
  try {
    return await fetch(address, { ...options, headers: all, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable("The service does not answer.");
  }
}

async function refusal(answer) {
  const after = Number.parseFloat(answer.headers.get("Retry-After"));
  const document = await answer.json().catch(() => ({}));
  return new ServiceError(answer.status, document, Number.isNaN(after) ? null : after);
}

export function isPassing(error) {
  return error instanceof Unreachable || (error instanceof ServiceError && TRY_AGAIN.has(error.status));
}

// Tries again for as long as that can help and at most `retries` times; `told` hears the error and the pause in seconds.
export async function patiently(work, { signal, retries = Infinity, told = () => {} } = {}) {
  for (let failures = 0; ; ) {
    try {
      return await work();
    } catch (error) {
      if (!isPassing(error) || ++failures > retries) throw error;
      const pause = pauseAfter(error, failures);
      told(error, pause);
      await sleep(pause, signal);
    }
  }
}

// A little more than the service told, so that those who were refused together do not come back together.
function pauseAfter(error, failures) {
  if (error.retryAfter != null) return error.retryAfter * (1 + 0.25 * Math.random());
  return Math.min(FIRST_PAUSE_S * 2 ** (failures - 1), LONGEST_PAUSE_S) * (0.5 + 0.5 * Math.random());
}

export function sleep(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException("stopped", "AbortError"));
    };
    if (signal?.aborted) return stop();
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

// The documents of a stream of JSON lines. Throws Unreachable when it breaks off.
export async function* lines(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const parts = (rest + value).split("\n");
      rest = parts.pop();
      for (const part of parts) yield JSON.parse(part);
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable("The service broke off.");
  } finally {
    reader.cancel().catch(() => {});
  }
}
