/**
 * What a value from a file has to be. A shape takes what JSON gave and its place, and answers a copy that holds what was
 * expected and nothing else, or throws a Mismatch that says where, what was expected and what was received. Pure.
 */
import { mismatch, type Rule } from "./check";

export class Mismatch extends Error {}

export type Shape<T> = (value: unknown, path: string) => T;

type Fields = Record<string, Shape<unknown>>;
type Read<F extends Fields> = { [K in keyof F]: ReturnType<F[K]> };

/** Characters of a name and of what a person reads. */
export const NAME = 200;
export const MESSAGE = 2000;
/** PATH_MAX of Linux (limits.h). */
const PATH = 4096;

function fail(path: string, expected: string, value: unknown): never {
  const text = typeof value === "string" && value.length > 60 ? `${value.length} characters` : JSON.stringify(value);
  throw new Mismatch(`${path}: expected ${expected}, received ${text && text.length > 80 ? `${text.slice(0, 77)}…` : text}`);
}

/** As settings and knobs are checked. */
export const ruled =
  <T>(rule: Rule): Shape<T> =>
  (value, path) => {
    const wrong = mismatch(rule, value);
    if (wrong) throw new Mismatch(`${path}: ${wrong}`);
    return value as T;
  };

export const integer = (minimum: number, maximum = Number.MAX_SAFE_INTEGER): Shape<number> => ruled({ type: "integer", minimum, maximum });
export const finite: Shape<number> = ruled({ type: "number" });
export const boolean: Shape<boolean> = ruled({ type: "boolean" });
export const oneOf = <T extends string>(...choices: T[]): Shape<T> => ruled({ type: "enum", choices });

/** Compared with others: kept whole or refused. */
export const text =
  (most: number): Shape<string> =>
  (value, path) =>
    typeof value === "string" && value.length <= most ? value : fail(path, `a text of at most ${most} characters`, value);

export const path = text(PATH);

/** Stands for a property: not empty, and none that every object has. */
export const name: Shape<string> = (value, path) =>
  typeof value === "string" && value.length > 0 && value.length <= NAME && !(value in Object.prototype)
    ? value
    : fail(path, `a name of at most ${NAME} characters`, value);

/** Read by a person: cut where it is longer, for its beginning still says what it is. */
export const words =
  (most: number): Shape<string> =>
  (value, path) => {
    if (typeof value !== "string") return fail(path, "a text", value);
    return value.length <= most ? value : `${value.slice(0, most - 1).replace(/[\ud800-\udbff]$/, "")}…`;
  };

/** ISO 8601, or whatever else a date is read from. */
export const time: Shape<string> = (value, path) =>
  typeof value === "string" && value.length <= NAME && !Number.isNaN(Date.parse(value)) ? value : fail(path, "a time", value);

export const orNull =
  <T>(shape: Shape<T>): Shape<T | null> =>
  (value, path) =>
    value === null ? null : shape(value, path);

export const list =
  <T>(shape: Shape<T>, most: number): Shape<T[]> =>
  (value, path) => {
    if (!Array.isArray(value) || value.length > most) return fail(path, `a list of at most ${most}`, value);
    return value.map((each, i) => shape(each, `${path}[${i}]`));
  };

/** An object of any names. */
export const record =
  <T>(shape: Shape<T>, most: number): Shape<Record<string, T>> =>
  (value, path) => {
    const entries = Object.entries(object(value, path));
    if (entries.length > most) return fail(path, `at most ${most} entries`, entries.length);
    return Object.fromEntries(entries.map(([key, each]) => [name(key, path), shape(each, `${path}.${key}`)]));
  };

/** An object of these names; others are left out. `optional`: those that older versions did not write. */
export const fields =
  <R extends Fields, O extends Fields = Record<never, Shape<unknown>>>(required: R, optional?: O): Shape<Read<R> & Partial<Read<O>>> =>
  (value, path) => {
    const given = object(value, path);
    const place = (key: string): string => (path === "" ? key : `${path}.${key}`);
    const read = Object.entries(required).map(([key, shape]) => [key, shape(given[key], place(key))]);
    for (const [key, shape] of Object.entries(optional ?? {})) {
      if (given[key] !== undefined) read.push([key, shape(given[key], place(key))]);
    }
    return Object.fromEntries(read) as Read<R> & Partial<Read<O>>;
  };

export function object(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return fail(path || "the whole", "an object", value);
  return value as Record<string, unknown>;
}

/** Values in a file, or a line: a thousand blocks are described in a third of it. A text of brackets alone takes far longer to parse than to read. */
const MOST_VALUES = 100_000;

/** Braces, brackets and commas, of which each value but the first has one. */
function values(json: string): number {
  let count = 0;
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (code === 0x2c || code === 0x5b || code === 0x7b) count++;
  }
  return count;
}

/** What a shape reads in a text, or why it does not: in its own words, or those of JSON. */
export function readJson<T>(json: string, shape: Shape<T>): { read: T } | { problem: string } {
  if (values(json) > MOST_VALUES) return { problem: `expected at most ${MOST_VALUES} values, there are more` };
  try {
    return { read: shape(JSON.parse(json), "") };
  } catch (error) {
    if (error instanceof Mismatch) return { problem: error.message };
    if (error instanceof SyntaxError) return { problem: `not JSON: ${error.message}` };
    throw error;
  }
}
