// The bytes of a blob, piece by piece, with time for clicks in between.

const PIECE_BYTES = 1 << 18;

export async function* pieces(blob) {
  const read = (at) => blob.slice(at, at + PIECE_BYTES).arrayBuffer();
  let next = read(0);
  for (let at = 0; at < blob.size; at += PIECE_BYTES) {
    const piece = new Uint8Array(await next);
    next = read(at + PIECE_BYTES); // while this one is looked at
    next.catch(() => {}); // whoever asks for it is told
    yield piece;
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
