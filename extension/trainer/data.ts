/** What a run trains and validates on: files found by glob, as sequences of tokens. */
import { readFile, stat } from "node:fs/promises";
import type { RunSpec } from "../protocol/runFile";
import { findFiles } from "./findFiles";
import { openShard, type Shard } from "./shard";
import { makeTokenizer } from "./tokenizer";
import { UserError } from "../runs/userError";

/** A long sequence of tokens that is read in places. */
export interface Tokens {
  length: number;
  read(from: number, count: number, into: Int32Array, at: number): void;
}

export interface Data {
  train: Tokens;
  /** Undefined: no validation. */
  validation: Tokens | undefined;
  vocabulary: number;
  files: number;
  /** What the user should know about the choice of files. */
  notices: string[];
}

/** Text is kept in memory; larger collections are for shards. */
const MOST_TEXT = 1 << 30;
/** git's rule of thumb for a binary file: a NUL among its first bytes (buffer_is_binary). */
const BINARY_PREFIX = 8000;

export async function openData(spec: RunSpec): Promise<Data> {
  const notices: string[] = [];
  const { files: patterns, validationFiles, exclude } = spec.data;
  const files = await find("data.files", patterns, exclude, notices);
  const held =
    validationFiles.length > 0 ? await find("data.validationFiles", validationFiles, exclude, notices) : new Map<string, string>();
  const training = [...files].flatMap(([real, path]) => (held.has(real) ? [] : [path]));
  if (training.length === 0) {
    throw new UserError(
      `data.files matches only files that data.validationFiles holds out (${held.size}). Leave some of them for training.`,
    );
  }
  const main = await openFiles(training, spec, notices);
  if (held.size > 0) {
    const validation = await openFiles([...held.values()], spec, notices);
    if (validation.vocabulary !== main.vocabulary) {
      throw new UserError(
        `Training data has a vocabulary of ${main.vocabulary}, validation data of ${validation.vocabulary}. Use the same kind of files for both.`,
      );
    }
    return checked(
      { train: main.tokens, validation: validation.tokens, vocabulary: main.vocabulary, files: training.length + held.size, notices },
      spec,
    );
  }
  const kept = Math.floor(main.tokens.length * (1 - spec.data.validationFraction));
  const validation = spec.data.validationFraction > 0 ? part(main.tokens, kept, main.tokens.length - kept) : undefined;
  return checked({ train: part(main.tokens, 0, kept), validation, vocabulary: main.vocabulary, files: training.length, notices }, spec);
}

/** Paths by what they lead to: a file that is held out is not trained on under another name. */
async function find(setting: string, patterns: string[], ignore: string[], notices: string[]): Promise<Map<string, string>> {
  const found = await findFiles(setting, patterns, ignore);
  notices.push(...found.notices);
  if (found.files.length === 0) {
    const without = ignore.length > 0 ? ` (without ${ignore.join(", ")})` : "";
    const why = found.notices.map((notice) => ` ${notice}`).join("");
    throw new UserError(
      `${setting}: expected files to train on, nothing matches ${patterns.join(", ")}${without}. Globs are relative to the run file.${why}`,
    );
  }
  return new Map(found.files.map(({ path, real }) => [real, path]));
}

async function openFiles(files: string[], spec: RunSpec, notices: string[]): Promise<{ tokens: Tokens; vocabulary: number }> {
  const shards = files.filter((file) => file.endsWith(".bin"));
  if (shards.length === 0) return openText(files, spec, notices);
  if (shards.length < files.length) {
    throw new UserError(
      `data.files matches ${shards.length} token shards (.bin) and ${files.length - shards.length} text files, such as ${files.find((file) => !file.endsWith(".bin"))}. Choose one kind.`,
    );
  }
  const opened: Shard[] = [];
  for (const file of shards) opened.push(await openShard(file));
  const other = opened.find((shard) => shard.vocabulary !== opened[0]!.vocabulary);
  if (other)
    throw new UserError(
      `${opened[0]!.file} has a vocabulary of ${opened[0]!.vocabulary}, ${other.file} of ${other.vocabulary}. Train on one kind of shards.`,
    );
  return { tokens: concatenate(opened), vocabulary: opened[0]!.vocabulary };
}

async function openText(files: string[], spec: RunSpec, notices: string[]): Promise<{ tokens: Tokens; vocabulary: number }> {
  const texts: Buffer[] = [];
  let total = 0;
  let binary = 0;
  for (const file of files) {
    total += (await stat(file)).size;
    if (total > MOST_TEXT)
      throw new UserError(
        `data.files matches more than ${MOST_TEXT / 2 ** 30} GiB of text. Choose fewer files, or make token shards of them.`,
      );
    const text = await readFile(file);
    if (text.subarray(0, BINARY_PREFIX).includes(0)) binary++;
    else texts.push(text);
  }
  if (texts.length === 0)
    throw new UserError(
      `data.files matches ${files.length} files, none of them text (${files[0]}). Choose text files or .bin token shards.`,
    );
  if (binary > 0) notices.push(`${binary} of ${files.length} files are binary and were left out.`);
  const tokenizer = await makeTokenizer(spec.data.tokenizer);
  const ids = tokenizer.encode(texts);
  const tokens: Tokens = {
    length: ids.length,
    read: (from, count, into, at) => into.set(ids.subarray(from, from + count), at),
  };
  return { tokens, vocabulary: tokenizer.vocabulary };
}

function checked(data: Data, { model }: RunSpec): Data {
  // A context's last token is only predicted.
  const least = model.context + 1;
  const sides: [string, Tokens | undefined][] = [
    ["training", data.train],
    ["validation", data.validation],
  ];
  for (const [what, tokens] of sides) {
    if (tokens && tokens.length < least) {
      throw new UserError(
        `The ${what} data has ${tokens.length} tokens; at least ${least} are needed (model.context + 1). ` +
          `Add text, lower model.context, or change data.validationFraction.`,
      );
    }
  }
  return data;
}

const part = (tokens: Tokens, begin: number, length: number): Tokens => ({
  length,
  read: (from, count, into, at) => tokens.read(begin + from, count, into, at),
});

function concatenate(parts: Tokens[]): Tokens {
  const begins: number[] = [];
  let length = 0;
  for (const each of parts) {
    begins.push(length);
    length += each.length;
  }
  return {
    length,
    read(from, count, into, at) {
      let index = begins.findLastIndex((begin) => begin <= from);
      while (count > 0) {
        const inside = from - begins[index]!;
        const here = Math.min(count, parts[index]!.length - inside);
        parts[index]!.read(inside, here, into, at);
        from += here;
        at += here;
        count -= here;
        index++;
      }
    },
  };
}
