/** `run.json` as it may be: the one way from what stands there to what is believed. Pure. */
import type { DiagnosticDescription, Knob, KnobValue, KnobValues, RunMemory } from "../protocol/description";
import type { RunSpec } from "../protocol/runFile";
import type { RunJson } from "../protocol/runFolder";
import { mismatch } from "./check";
import { SECTIONS, SETTINGS } from "./settings";
import * as shape from "./shape";
import { completeSpec } from "./spec";

/** More than there are: of parameters, a thousand blocks have 6000. */
const MOST_PARAMETERS = 10_000;
const MOST = 1000;

const { fields, finite, integer, list, MESSAGE, name, NAME, oneOf, orNull, path, record, text, words } = shape;

/** Of a knob: what an order sets and a spec holds. */
export const knobValue: shape.Shape<KnobValue> = (value, place) =>
  typeof value === "boolean" ? value : typeof value === "number" ? finite(value, place) : text(NAME)(value, place);

const knob: shape.Shape<Knob> = fields(
  {
    id: name,
    type: oneOf("number", "integer", "boolean", "enum"),
    default: knobValue,
    live: shape.boolean,
    meaning: words(MESSAGE),
    source: words(MESSAGE),
  },
  { minimum: finite, maximum: finite, choices: list(text(NAME), MOST) },
);

const diagnostic: shape.Shape<DiagnosticDescription> = fields({
  id: name,
  title: words(NAME),
  shape: oneOf("scalar", "histogram", "vector"),
  unit: words(NAME),
  taps: list(name, MOST),
  defaultTaps: list(name, MOST),
  logarithmic: shape.boolean,
  meaning: words(MESSAGE),
  source: words(MESSAGE),
});

const bytes = integer(0);
const memory: shape.Shape<RunMemory> = fields(
  { weights: bytes, gradients: bytes, optimizer: bytes, activations: bytes, available: bytes },
  { others: list(fields({ device: integer(0), needed: bytes, available: bytes }), MOST) },
);

const values: shape.Shape<KnobValues> = record(knobValue, MOST);

/** A spec holds what the run file has under `optimizer.clip` beside the knobs, not among them. */
const placeOf = (setting: string): string => (setting === "optimizer.clip" ? "clip" : setting);
const KNOWN = new Set(SETTINGS.map(({ path }) => placeOf(path)));

const isPlain = (value: unknown): boolean => typeof value === "boolean" || Number.isFinite(value) || isShort(value);
const isShort = (value: unknown): boolean => typeof value === "string" && value.length <= MESSAGE;

/**
 * A spec as whichever version recorded it. Every setting is one that a run file may have. What a newer version added is kept where it
 * is a plain value, so that a comparison shows it.
 */
const spec: shape.Shape<RunSpec> = (value, place) => {
  const complete = completeSpec(shape.object(value, place));
  for (const setting of SETTINGS) {
    const key = placeOf(setting.path);
    const [section, inner] = key.split(".") as [string, string | undefined];
    const found = inner === undefined ? complete[section] : shape.object(complete[section], `${place}.${section}`)[inner];
    const wrong = mismatch(setting, found);
    if (wrong) throw new shape.Mismatch(`${place}.${key}: ${wrong}`);
    if (setting.type === "globs") list(path, MOST)(found, `${place}.${key}`);
    if (setting.type === "integers" && Array.isArray(found)) list(integer(0), MOST)(found, `${place}.${key}`);
  }
  const read = Object.entries(complete).map(([key, each]): [string, unknown] => {
    const at = `${place}.${key}`;
    if (key === "optimizer" || key === "auxiliary") return [key, values(each, at)];
    if (key === "name") return [key, words(NAME)(each, at)];
    if (!(key in SECTIONS)) return [key, KNOWN.has(key) || isPlain(each) ? each : undefined];
    const inner = Object.entries(shape.object(each, at)).map(([id, one]): [string, unknown] => {
      if (`${key}.${id}` === "diagnostics.channels") return [id, record(list(name, MOST), MOST)(one, `${at}.${id}`)];
      return [id, KNOWN.has(`${key}.${id}`) || isPlain(one) ? one : undefined];
    });
    return [key, Object.fromEntries(inner.filter(([, one]) => one !== undefined))];
  });
  const result = Object.fromEntries(read.filter(([, each]) => each !== undefined));
  fields({ preset: name, optimizer: values, auxiliary: values })(result, place);
  fields({ channels: shape.object })(result["diagnostics"], `${place}.diagnostics`);
  return result as unknown as RunSpec;
};

const format: shape.Shape<1> = (value) => {
  if (value === 1) return 1;
  const newer = typeof value === "number" && value > 1 ? ": a newer version wrote it" : "";
  throw new shape.Mismatch(`format: expected 1, received ${JSON.stringify(value)?.slice(0, 80)}${newer}`);
};

const count = integer(0);
const run: shape.Shape<RunJson> = fields(
  {
    format,
    id: text(NAME),
    name: words(NAME),
    created: shape.time,
    versions: fields({ muonscope: words(NAME), node: words(NAME), engine: words(NAME) }),
    machine: fields({ host: words(NAME), platform: words(NAME), cpu: words(NAME) }),
    backend: fields({ id: name, detail: words(MESSAGE) }, { device: words(MESSAGE) }),
    spec,
    runFile: orNull(path),
    parameters: list(fields({ name, rows: count, cols: count, group: oneOf("matrix", "auxiliary") }), MOST_PARAMETERS),
    data: fields({ trainTokens: count, validationTokens: count, files: count, vocabulary: count }),
    knobs: list(knob, MOST),
    auxiliaryKnobs: list(knob, MOST),
    diagnostics: list(diagnostic, MOST),
    parent: orNull(fields({ id: text(NAME), checkpoint: path })),
  },
  { memory },
);

/** The run that a `run.json` describes, or what is wrong with it, in words. */
export const parseRunJson = (json: string): { read: RunJson } | { problem: string } => shape.readJson(json, run);
