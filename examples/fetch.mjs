// From JavaScript, in a page of the service's own address or with Node: node examples/fetch.mjs

const service = globalThis.location?.origin ?? process.env.RETORT_URL ?? "http://127.0.0.1:8000";

// Sent again under the same Idempotency-Key, a request makes no second job.
const answer = await fetch(`${service}/predict`, {
  method: "POST",
  headers: { "Content-Type": "application/json", "Idempotency-Key": `example-${Math.random()}` },
  body: JSON.stringify({ texts: ["how do I undo my last commit", ""], top_k: 3 }),
});
const job = await answer.json();
if (!answer.ok) throw new Error(`${job.title}: ${job.detail}`);

for (const one of job.predictions) {
  console.log(one.error ? `no label: ${one.error.detail}` : one.top.map(({ label, score }) => `${label} ${score}`).join(", "));
}
