// How the service stands, and what it got through in the last minutes, for as long as the page is open.

import { askJson } from "./service.js";

const KEPT_S = 300;

const samples = [];

export async function askStatus(options) {
  const found = await askJson("/status", options);
  const drained = found.models.flatMap((model) => model.lanes).reduce((all, lane) => all + lane.drained, 0);
  samples.push({ at: performance.now() / 1000, drained });
  while (samples.at(-1).at - samples[0].at > KEPT_S) samples.shift();
  return found;
}

// Texts a second between one look and the next, and when that was.
export const rates = () =>
  samples.slice(1).map(({ at, drained }, number) => {
    const before = samples[number];
    return { at, value: Math.max(0, (drained - before.drained) / (at - before.at)) };
  });
