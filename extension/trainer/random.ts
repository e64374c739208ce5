/** Random numbers that depend on their position only, so that a run resumes anywhere without replaying what came before. */

/** MurmurHash3's 32-bit finaliser (Appleby): every input bit changes half of the output bits. */
function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Uniform in [0, 1), 53 bits, for the `index`-th draw (a non-negative integer up to 2^53) of a seed. */
export function uniform(seed: number, index: number): number {
  const low = index >>> 0;
  const high = Math.floor(index / 2 ** 32);
  // 0x9e3779b9: the golden ratio's fraction, which keeps small seeds and indices apart (Knuth, TAOCP 6.4).
  const a = mix(mix(mix(seed ^ 0x9e3779b9) ^ low) ^ high);
  const b = mix(a ^ mix(low + 0x9e3779b9));
  return ((a >>> 5) * 2 ** 26 + (b >>> 6)) / 2 ** 53;
}

/** Rounds of the Feistel network: four make a permutation that is not told from a random one (Luby & Rackoff 1988). */
const ROUNDS = 4;

/**
 * Where `index` comes in a random order of 0 … count − 1; another order for each seed and `turn`. A Feistel network over the
 * next power of four, walked until it falls into the range (Black & Rogaway 2002): no list is kept.
 */
export function permuted(seed: number, turn: number, index: number, count: number): number {
  const half = 2 ** Math.ceil(Math.log2(Math.max(2, count)) / 2);
  const key = mix(mix(seed ^ 0x9e3779b9) ^ turn);
  let at = index;
  do {
    let left = Math.floor(at / half);
    let right = at % half;
    for (let round = 0; round < ROUNDS; round++) [left, right] = [right, (left + mix(mix(key + round) ^ right)) % half];
    at = left * half + right;
  } while (at >= count);
  return at;
}
