// Tells one file from another: 64 bits that each of its bytes has a part in. Pieces have to be cut alike each time.
// (The browser's own digests are there only over TLS and on this machine, and want all bytes at once.)

export class Digest {
  low = 0x811c9dc5;
  high = 0x01234567;

  push(bytes) {
    const whole = bytes.length >> 2;
    this.mix(new Uint32Array(bytes.buffer, bytes.byteOffset, whole));
    this.mix(bytes.subarray(whole << 2));
  }

  mix(numbers) {
    let { low, high } = this;
    for (let at = 0; at < numbers.length; at += 1) {
      low = Math.imul(low ^ numbers[at], 0x01000193);
      low ^= low >>> 15;
      high = Math.imul(high + numbers[at], 0x5bd1e995) ^ (high >>> 13);
    }
    Object.assign(this, { low, high });
  }

  toString() {
    return [this.high, this.low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }
}
