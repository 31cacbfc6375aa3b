// The bytes of a blob, piece by piece, with time for clicks in between.

const PIECE_BYTES = 1 << 18;

export async function* pieces(blob) {
  for (let at = 0; at < blob.size; at += PIECE_BYTES) {
    yield new Uint8Array(await blob.slice(at, at + PIECE_BYTES).arrayBuffer());
    await turn();
  }
}

// Comes back once the browser has done what waits; unlike a timer, at once, and in a tab behind others too.
function turn() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
