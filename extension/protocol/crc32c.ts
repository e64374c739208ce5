/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), and TensorFlow's masked form of it. */

const table = new Uint32Array(256).map((_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** Goes on from the checksum of what comes before; 0 at the beginning. */
export function crc32c(bytes: Uint8Array, before = 0, begin = 0, end = bytes.length): number {
  let crc = ~before;
  for (let i = begin; i < end; i++) crc = table[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** As TFRecord stores it, so that a checksum of data that holds checksums stays strong (tensorflow/core/lib/hash/crc32c.h). */
export const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
