/**
 * Checkpoints: weights and optimizer state as safetensors, everything else that a bit-identical continuation needs in
 * `__metadata__`. A file under its final name is complete.
 */
import { mkdir, unlink, type FileHandle } from "node:fs/promises";
import { join, relative } from "node:path";
import { crc32 } from "node:zlib";
import type { KnobValues } from "../protocol/description";
import { CHECKPOINTS } from "../protocol/runFolder";
import { encodeHeader, headerLength, parseHeader, PREFIX } from "../protocol/safetensors";
import { replaceFile, syncFolder } from "../runs/durable";
import { openToRead, refuseForeignFolder } from "../runs/ownFiles";
import { listCheckpoints, type Checkpoint } from "../runs/runFolder";
import type { NamedTensor } from "./addon";

export interface CheckpointContent {
  step: number;
  tensors: NamedTensor[];
  /** Sequences drawn from the training data. The random state is the seed and this. */
  position: number;
  lrFactor: number;
  /** Live knobs by parameter, as changed by orders. */
  knobs: Record<string, KnobValues>;
}

/** Of a file's name. */
export const CHECKPOINT_NAME = /^step-\d+\.safetensors$/;
const FORMAT = "muonscope-checkpoint-1";

/** Resolves to the file's path relative to the run folder. Rejects, leaving nothing behind, when it cannot be written. */
export async function writeCheckpoint(folder: string, content: CheckpointContent): Promise<string> {
  const directory = join(folder, CHECKPOINTS);
  if (await makeFolder(directory)) await syncFolder(folder);
  const path = join(directory, `step-${String(content.step).padStart(8, "0")}.safetensors`);
  const { tensors, ...rest } = content;
  const parts = tensors.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const sum = parts.reduce((crc, part) => crc32(part, crc), 0);
  const header = encodeHeader(tensors, { format: FORMAT, crc32: `${sum}`, state: JSON.stringify(rest) });
  await replaceFile(path, [header, ...parts]);
  return relative(folder, path);
}

/** False when it is there. The run folder itself is never made anew: who deleted it did not ask for another. */
async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    await refuseForeignFolder(path);
    return false;
  }
}

/**
 * Leaves `keep` files, among them always the newest that is known to be whole: that of step `reached`, just written. Damaged ones and
 * those of later steps, which the run has not reached again, go first, then the oldest. `damaged`: relative to the run folder.
 */
export async function pruneCheckpoints(folder: string, keep: number, reached: number, damaged: ReadonlySet<string>): Promise<void> {
  const unusable = ({ file, step }: Checkpoint): boolean => step > reached || damaged.has(relative(folder, file));
  await refuseForeignFolder(join(folder, CHECKPOINTS));
  const found = await listCheckpoints(folder);
  const order = [...found.filter(unusable), ...found.filter((each) => !unusable(each))];
  for (const { file } of order.slice(0, -Math.max(1, keep))) await unlink(file);
}

/** Throws with what is wrong with a file that is no complete checkpoint. */
export async function readCheckpoint(path: string): Promise<CheckpointContent> {
  const file = await openToRead(path);
  try {
    const { size } = await file.stat();
    const length = headerLength(await readExactly(file, new Uint8Array(Math.min(PREFIX, size)), 0), size);
    const { metadata, tensors } = parseHeader(await readExactly(file, new Uint8Array(length), PREFIX), size - PREFIX - length);
    if (metadata["format"] !== FORMAT) throw new Error(`expected a checkpoint of format ${FORMAT}, got ${metadata["format"] ?? "none"}`);
    const loaded: NamedTensor[] = [];
    let sum = 0;
    for (const { name, shape, dtype, begin, end } of tensors) {
      if (dtype !== "F32") throw new Error(`expected ${name} to be F32, got ${dtype}`);
      const bytes = await readExactly(file, new Uint8Array(end - begin), PREFIX + length + begin);
      sum = crc32(bytes, sum);
      loaded.push({ name, shape, data: new Float32Array(bytes.buffer) });
    }
    if (`${sum}` !== metadata["crc32"])
      throw new Error(`its tensors have the checksum ${sum}, not ${metadata["crc32"]}: the file is damaged`);
    return { ...(JSON.parse(metadata["state"] ?? "") as Omit<CheckpointContent, "tensors">), tensors: loaded };
  } finally {
    await file.close();
  }
}

/** Tensor by tensor and piece by piece: Node reads no more than 2 GiB at once. */
async function readExactly(file: FileHandle, into: Uint8Array<ArrayBuffer>, position: number): Promise<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < into.length;) {
    const { bytesRead } = await file.read(into, at, Math.min(into.length - at, 2 ** 30), position + at);
    if (bytesRead === 0) throw new Error(`the file ends ${into.length - at} bytes early`);
    at += bytesRead;
  }
  return into;
}

export interface Damage {
  /** Relative to the run folder. */
  file: string;
  /** A sentence. */
  message: string;
}

/** The newest checkpoint that is whole; `damaged` says what is wrong with newer ones. */
export async function findCheckpoint(folder: string): Promise<{ file: string; content: CheckpointContent | undefined; damaged: Damage[] }> {
  const damaged: Damage[] = [];
  for (const { file: path } of (await listCheckpoints(folder)).reverse()) {
    const file = relative(folder, path);
    try {
      return { file, content: await readCheckpoint(path), damaged };
    } catch (error) {
      damaged.push({ file, message: `${file} cannot be used: ${(error as Error).message}.` });
    }
  }
  return { file: "", content: undefined, damaged };
}
