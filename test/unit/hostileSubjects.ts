/** What hostile calls are made on: the addon's functions with arguments that are right, and what is wrong in their place. */
import { isExternal } from "node:util/types";
import { loadAddon } from "../../extension/trainer/addon";

/** Whose functions, by name, are called with anything at all. */
export type Methods = Record<string, (...values: unknown[]) => unknown>;
type Fields = Record<PropertyKey, unknown>;

export interface Subjects {
  addon: Methods;
  engine: Methods;
  optimizer: Methods;
}

export interface Target {
  on: keyof Subjects;
  name: string;
  /** Right ones, new each time. */
  args: () => unknown[];
}

/** Over memory that can shrink: 16 KiB and more of it are pages that are gone then. */
export function resizable<Kind extends Int32Array | Float32Array>(
  kind: new (buffer: ArrayBuffer, offset: number, length: number) => Kind,
  length: number,
): Kind {
  const Resizable = ArrayBuffer as unknown as new (bytes: number, options: { maxByteLength: number }) => ArrayBuffer;
  return new kind(new Resizable(4 * length, { maxByteLength: 4 * length }), 0, length);
}

const SIDE = 64;
const TOKENS = 17;
const tensor = (name: string) => ({ name, shape: [SIDE, SIDE], data: resizable(Float32Array, SIDE * SIDE) });
const knobs = () => ({ lr: 0.01, nesterov: true, newtonSchulz: "kj5" });
const compute = () => ({ backend: "cpu", threads: 1, devices: [0], precision: "auto" });

const engineConfig = () => ({
  ...compute(),
  seed: 1,
  model: { vocabulary: 16, layers: 1, width: 8, heads: 1, context: 16, zeroProjections: true, recompute: false },
  batch: 1,
  preset: "normuon",
  optimizer: knobs(),
  auxiliary: { lr: 0.01 },
  ranks: 1,
});

const optimizerConfig = () => ({
  ...compute(),
  preset: "normuon",
  optimizer: knobs(),
  auxiliary: { lr: 0.01 },
  ranks: 2,
  parameters: [
    { ...tensor("w"), group: "matrix" },
    { ...tensor("x"), group: "auxiliary" },
  ],
});

const tokens = () => resizable(Int32Array, TOKENS);
const step = () => ({
  lrScale: 1,
  clip: 1,
  measure: [{ channel: "condition_number", tap: "update", tensor: "blocks.0.mlp.up" }],
  phases: true,
});

export const targets: Target[] = [
  { on: "addon", name: "describe", args: () => [] },
  { on: "addon", name: "backends", args: () => [] },
  { on: "addon", name: "createEngine", args: () => [engineConfig()] },
  { on: "addon", name: "createOptimizer", args: () => [optimizerConfig()] },
  { on: "engine", name: "parameters", args: () => [] },
  { on: "engine", name: "step", args: () => [tokens(), step()] },
  { on: "engine", name: "measured", args: () => [] },
  { on: "engine", name: "evaluate", args: () => [tokens()] },
  { on: "engine", name: "gradients", args: () => [tokens()] },
  { on: "engine", name: "set", args: () => ["matrix", knobs(), "*"] },
  { on: "engine", name: "values", args: () => ["head"] },
  { on: "engine", name: "save", args: () => [] },
  { on: "engine", name: "load", args: () => [1, [tensor("weight.head"), tensor("weight.embed")]] },
  { on: "engine", name: "dispose", args: () => [] },
  { on: "optimizer", name: "step", args: () => [[tensor("w"), tensor("x")], 1] },
  { on: "optimizer", name: "set", args: () => ["matrix", knobs(), "*"] },
  { on: "optimizer", name: "weight", args: () => ["w"] },
  { on: "optimizer", name: "stateNames", args: () => [] },
  { on: "optimizer", name: "state", args: () => ["momentum.w"] },
  { on: "optimizer", name: "dispose", args: () => [] },
];

export const addon = loadAddon() as unknown as Methods;

export const target = (on: keyof Subjects, name: string): Target => targets.find((each) => each.on === on && each.name === name)!;

/** New ones, to be made before anything is done to prototypes. */
export async function subjects(): Promise<Subjects> {
  const engine = (await addon.createEngine!(engineConfig())) as Methods;
  return { addon, engine, optimizer: (await addon.createOptimizer!(optimizerConfig())) as Methods };
}

/** Where something lies in a call's arguments: "1.measure.0.tap". */
export function pathsOf(args: unknown, path: string[] = []): string[][] {
  if (typeof args !== "object" || args === null || ArrayBuffer.isView(args)) return [path];
  const within = Object.entries(args).flatMap(([key, value]) => pathsOf(value, [...path, key]));
  return path.length > 0 ? [path, ...within] : within;
}

/** The arguments, with what `descriptor` says at the path. */
export function changed(args: unknown[], path: string[], descriptor: PropertyDescriptor): unknown[] {
  const parent = path.slice(0, -1).reduce<unknown>((value, key) => (value as Fields)[key], args);
  Object.defineProperty(parent, path.at(-1)!, { configurable: true, enumerable: true, ...descriptor });
  return args;
}

export const at = (args: unknown[], path: string[]): unknown => path.reduce<unknown>((value, key) => (value as Fields)[key], args);

const refusing = () => {
  throw new Error("a trap");
};
const traps = Object.fromEntries(Object.getOwnPropertyNames(Reflect).map((trap) => [trap, refusing]));

/** A handle of Node's own: the only External that a script gets hold of. */
function external(): unknown {
  const { _handle: handle } = process.stdout as unknown as { _handle?: { _externalStream?: unknown } };
  const stream = handle?._externalStream;
  if (!isExternal(stream)) throw new Error("expected stdout to be a pipe, whose handle shows an External");
  return stream;
}

function detached(): Float32Array {
  const view = new Float32Array(SIDE * SIDE);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable([], {});
  revoke();
  return proxy;
}

/** By name; `never`: nowhere right. */
export function wrongValues({ engine, optimizer }: Subjects): { name: string; never: boolean; value: unknown }[] {
  const never = {
    undefined: undefined,
    null: null,
    "a symbol": Symbol("s"),
    "a bigint": 10n,
    NaN: NaN,
    "-Infinity": -Infinity,
    "-1": -1,
    "a long string": "x".repeat(1 << 20),
    "a function": refusing,
    "a proxy whose traps throw": new Proxy({}, traps),
    "a proxy of an array": new Proxy([1], {}),
    "a revoked proxy": revoked(),
    "an array with room for 2^32": new Array(2 ** 32 - 1),
    "a long array": new Array(1 << 21).fill(0),
    "a Float64Array": new Float64Array(SIDE * SIDE),
    "an External": external(),
  };
  const sometimes = {
    "a promise": Promise.resolve(1),
    "an ArrayBuffer": new ArrayBuffer(8),
    "a DataView": new DataView(new ArrayBuffer(8)),
    "a detached Float32Array": detached(),
    "half of a pair": "\ud800",
    "a string of zeros": "\0\0",
    Infinity: Infinity,
    true: true,
    "0": 0,
    "0.5": 0.5,
    "2^31": 2 ** 31,
    "2^53": 2 ** 53,
    "1e308": 1e308,
    "5e-324": 5e-324,
    "an empty string": "",
    "a star": "*",
    "an empty object": {},
    "an object without prototype": Object.create(null) as unknown,
    "an empty array": [],
    "an array of arrays": [[[]]],
    "a Map": new Map([["lr", 1]]),
    "shared tokens": new Int32Array(new SharedArrayBuffer(4 * TOKENS)),
    "shared numbers": new Float32Array(new SharedArrayBuffer(4 * SIDE * SIDE)),
    "an empty Int32Array": new Int32Array(0),
    "tokens beyond the vocabulary": new Int32Array(TOKENS).fill(2 ** 31 - 1),
    "an Int32Array": new Int32Array(1 << 16),
    "an engine": engine,
    "an optimizer": optimizer,
  };
  const list = (values: Fields, isNever: boolean) => Object.entries(values).map(([name, value]) => ({ name, never: isNever, value }));
  return [...list(never, true), ...list(sometimes, false)];
}
