/** Text to tokens. */
import type { RunSpec } from "../protocol/runFile";

export interface Tokenizer {
  vocabulary: number;
  /** The files' contents, in order, as one sequence. */
  encode(files: Iterable<Uint8Array>): Uint8Array | Uint16Array;
}

/** GPT-2's `<|endoftext|>`, before every document as in llm.c and modded-nanogpt. */
const END_OF_TEXT = 50256;
/** Characters encoded at once: a bound on the tokenizer's memory. */
const PIECE = 1 << 20;

const bytes: Tokenizer = {
  vocabulary: 256,
  encode: (files) => Buffer.concat([...files]),
};

export async function makeTokenizer(id: RunSpec["data"]["tokenizer"]): Promise<Tokenizer> {
  if (id === "bytes") return bytes;
  // Loaded when asked for: it holds all of GPT-2's byte pairs.
  const { encode } = await import("gpt-tokenizer/encoding/r50k_base");
  return {
    vocabulary: 50257,
    encode: (files) => {
      const parts: Uint16Array[] = [];
      for (const file of files) {
        parts.push(Uint16Array.of(END_OF_TEXT));
        const text = Buffer.from(file).toString("utf8");
        for (const piece of pieces(text)) parts.push(Uint16Array.from(encode(piece, { disallowedSpecial: new Set() })));
      }
      const all = new Uint16Array(parts.reduce((sum, part) => sum + part.length, 0));
      let at = 0;
      for (const part of parts) {
        all.set(part, at);
        at += part.length;
      }
      return all;
    },
  };
}

/** Cut before a line break, where GPT-2's pattern hardly ever joins. */
function* pieces(text: string): Generator<string> {
  for (let at = 0; at < text.length;) {
    const end = at + PIECE < text.length ? text.lastIndexOf("\n", at + PIECE) : text.length;
    const cut = end > at ? end : Math.min(at + PIECE, text.length);
    yield text.slice(at, cut);
    at = cut;
  }
}
