/** Turns a run file, as a person wrote it, into a complete spec, or into sentences that say what is wrong with it. */
import { basename, dirname, isAbsolute, resolve, sep } from "node:path";
import type { EngineDescription, Knob, KnobValue, KnobValues, OptimizerDescription } from "../protocol/description";
import { gpusOf, type RunSpec } from "../protocol/runFile";
import { knobRule, mismatch } from "./check";
import { unknown } from "./nearest";
import { DEFAULT_PRESET, SECTIONS, SETTINGS, type Setting } from "./settings";

export const RUN_FILE_SUFFIX = ".muonscope.json";

type Resolved = { spec: RunSpec } | { problems: string[] };
type Entry = { path: string; value: unknown };

/** `context.file`: the run file's absolute path; its globs are relative to its folder and its name is the run's default name. */
export function resolveSpec(json: unknown, description: EngineDescription, context: { file: string }): Resolved {
  if (!isObject(json)) return { problems: [`expected a JSON object, received ${Array.isArray(json) ? "a list" : JSON.stringify(json)}`] };
  const problems: string[] = [];
  const given = new Map<string, unknown>();
  for (const { path, value } of entries(json, problems)) given.set(path, value);

  const preset = findPreset(given, description, problems);
  const knobs = {
    optimizer: overrides("optimizer", given, description.knobs, problems),
    auxiliary: overrides("auxiliary", given, description.auxiliaryKnobs, problems),
  };
  if (preset) {
    for (const id of Object.keys(knobs.optimizer)) {
      if (!(id in preset.defaults)) problems.push(`optimizer.${id}: does not apply to ${preset.id}; leave it out or choose another preset`);
    }
  }
  const values = settings(given, description, problems);
  const channels = findChannels(given.get("diagnostics.channels"), description, problems);
  if (problems.length > 0 || !preset) return { problems };

  const folder = dirname(context.file);
  const tree = nest([...values].filter(([path]) => path !== "optimizer.clip")) as unknown as RunSpec;
  const spec: RunSpec = {
    ...tree,
    name: (values.get("name") as string | undefined) ?? basename(context.file).replace(RUN_FILE_SUFFIX, ""),
    data: {
      ...tree.data,
      files: tree.data.files.map((glob) => absoluteGlob(folder, glob)),
      exclude: tree.data.exclude.map((glob) => absoluteGlob(folder, glob)),
      validationFiles: tree.data.validationFiles.map((glob) => absoluteGlob(folder, glob)),
    },
    preset: preset.id,
    clip: values.get("optimizer.clip") as number,
    optimizer: { ...preset.defaults, ...knobs.optimizer },
    auxiliary: { ...defaultsOf(description.auxiliaryKnobs), ...knobs.auxiliary },
    diagnostics: { budget: tree.diagnostics.budget, channels },
  };
  problems.push(...contradictions(spec));
  return problems.length > 0 ? { problems } : { spec };
}

/** A spec as an older version recorded it, whose settings were fewer: what came later has the default, which is what it did. */
export function completeSpec(spec: object): Record<string, unknown> {
  const complete: Record<string, unknown> = { ...spec };
  for (const [key, value] of Object.entries(DEFAULTS)) {
    const recorded = complete[key];
    if (recorded === undefined) complete[key] = value;
    else if (isObject(value) && isObject(recorded)) complete[key] = { ...value, ...recorded };
  }
  return complete;
}

/** The leaves of the run file: one for each setting, knob or list. */
function entries(json: Record<string, unknown>, problems: string[]): Entry[] {
  const leaves: Entry[] = [];
  for (const [key, value] of Object.entries(json)) {
    if (key === "$schema") continue; // how JSON files name their schema
    if (key === "description") {
      // For whoever chooses the file; a run is the same without it.
      if (typeof value !== "string") problems.push(`description: expected text, received ${JSON.stringify(value)}`);
      continue;
    }
    if (!(key in SECTIONS)) leaves.push({ path: key, value });
    else if (isObject(value)) for (const [name, inner] of Object.entries(value)) leaves.push({ path: `${key}.${name}`, value: inner });
    else problems.push(`${key}: expected an object, received ${JSON.stringify(value)}`);
  }
  return leaves;
}

function findPreset(given: Map<string, unknown>, { optimizers }: EngineDescription, problems: string[]): OptimizerDescription | undefined {
  const id = given.get("optimizer.preset") ?? DEFAULT_PRESET;
  const found = optimizers.find((optimizer) => optimizer.id === id);
  if (!found)
    problems.push(
      `optimizer.preset: ${unknown(
        "preset",
        String(id),
        optimizers.map((optimizer) => optimizer.id),
      )}`,
    );
  return found;
}

function overrides(section: "optimizer" | "auxiliary", given: Map<string, unknown>, knobs: Knob[], problems: string[]): KnobValues {
  const values: KnobValues = {};
  for (const knob of knobs) {
    const path = `${section}.${knob.id}`;
    if (!given.has(path)) continue;
    const value = given.get(path);
    const wrong = mismatch(knobRule(knob), value);
    if (wrong) problems.push(`${path}: ${wrong}`);
    else values[knob.id] = value as KnobValue;
  }
  return values;
}

/** Every setting, given or default, by path; and a problem for each path that is none. */
function settings(given: Map<string, unknown>, description: EngineDescription, problems: string[]): Map<string, unknown> {
  const values = new Map<string, unknown>();
  for (const setting of SETTINGS) {
    const value = given.get(setting.path) ?? (given.has(setting.path) ? null : setting.default);
    const wrong = isRequired(setting, value) ? "is required: which files to train on, as a list of globs" : wrongValue(setting, value);
    if (wrong) problems.push(`${setting.path}: ${wrong}`);
    values.set(setting.path, value);
  }
  const known = [
    ...SETTINGS.map((setting) => setting.path),
    ...description.knobs.map((knob) => `optimizer.${knob.id}`),
    ...description.auxiliaryKnobs.map((knob) => `auxiliary.${knob.id}`),
    "optimizer.preset",
    "diagnostics.channels",
    ...Object.keys(SECTIONS),
  ];
  for (const path of given.keys()) {
    if (!known.includes(path)) problems.push(unknown("setting", path, candidates(path, known)));
  }
  return values;
}

/** First those of the same section; a name that stands elsewhere under the same name before all others. */
function candidates(path: string, known: string[]): string[] {
  const leaf = path.slice(path.lastIndexOf(".") + 1);
  const elsewhere = known.filter((each) => each.endsWith(`.${leaf}`));
  if (elsewhere.length > 0) return elsewhere;
  const section = path.includes(".") ? path.slice(0, path.indexOf(".") + 1) : "";
  return section ? known.filter((each) => each.startsWith(section)) : known;
}

const isRequired = (setting: Setting, value: unknown): boolean =>
  setting.type === "globs" && setting.default === undefined && (value === undefined || (Array.isArray(value) && value.length === 0));

const wrongValue = (setting: Setting, value: unknown): string | undefined =>
  value === undefined && setting.type === "text" ? undefined : mismatch(setting, value);

function findChannels(value: unknown, { diagnostics }: EngineDescription, problems: string[]): Record<string, string[]> {
  if (value === undefined) return Object.fromEntries(diagnostics.map(({ id, defaultTaps }) => [id, defaultTaps]));
  const channels: Record<string, string[]> = {};
  if (!isObject(value)) {
    problems.push(`diagnostics.channels: expected an object of channels and their taps, received ${JSON.stringify(value)}`);
    return channels;
  }
  for (const [id, taps] of Object.entries(value)) {
    const path = `diagnostics.channels.${id}`;
    const diagnostic = diagnostics.find((each) => each.id === id);
    if (!diagnostic)
      problems.push(
        `${path}: ${unknown(
          "diagnostic",
          id,
          diagnostics.map((each) => each.id),
        )}`,
      );
    else if (!Array.isArray(taps) || !taps.every((tap) => typeof tap === "string")) {
      problems.push(`${path}: expected a list of taps, received ${JSON.stringify(taps)}`);
    } else {
      for (const tap of taps as string[])
        if (!diagnostic.taps.includes(tap)) problems.push(`${path}: ${unknown("tap", tap, diagnostic.taps)}`);
      channels[id] = taps as string[];
    }
  }
  return channels;
}

/** What is right by itself and wrong together. */
function contradictions(spec: RunSpec): string[] {
  const { model, sharding } = spec;
  const problems: string[] = [];
  // RoPE turns pairs of a head's components.
  const unit = 2 * model.heads;
  if (model.width % unit !== 0) {
    const wanted = Math.max(1, Math.round(model.width / unit)) * unit;
    problems.push(`model.width: expected a multiple of ${unit} (twice the heads), received ${model.width}; ${wanted} would do`);
  }
  const devices = gpusOf(spec).length;
  if (devices > sharding.ranks) {
    problems.push(
      `device: expected at most one for each rank, received ${devices} with sharding.ranks ${sharding.ranks}; ` +
        `raise it to at least ${devices}, for a device without a rank would do nothing`,
    );
  }
  return problems;
}

/** A glob as fast-glob takes it: absolute, forward slashes, no `..` within. */
export function absoluteGlob(folder: string, glob: string): string {
  if (isAbsolute(glob)) return glob;
  let base = folder;
  let rest = glob;
  for (let step = /^(\.\.?)(?:\/|$)/.exec(rest); step; step = /^(\.\.?)(?:\/|$)/.exec(rest)) {
    base = resolve(base, step[1]!);
    rest = rest.slice(step[0].length);
  }
  return `${literalGlob(base).replace(/\/$/, "")}/${rest}`;
}

/** A glob that matches this path alone. */
export const literalGlob = (path: string): string =>
  path
    .split(sep)
    .map((part) => part.replace(/[()*?[\]{|}!+@\\]/g, "\\$&"))
    .join("/");

/** `{"model.layers": 4}` → `{model: {layers: 4}}`. */
function nest(values: [string, unknown][]): Record<string, unknown> {
  const tree: Record<string, unknown> = {};
  for (const [path, value] of values) {
    const [section, name] = path.split(".") as [string, string | undefined];
    if (name === undefined) tree[section] = value;
    else tree[section] = { ...(tree[section] as object | undefined), [name]: value };
  }
  return tree;
}

/** Of settings that a spec holds where the run file does. */
const DEFAULTS = nest(
  SETTINGS.filter(({ path, default: value }) => value !== undefined && path !== "optimizer.clip").map((each) => [each.path, each.default]),
);

const defaultsOf = (knobs: Knob[]): KnobValues => Object.fromEntries(knobs.map((knob) => [knob.id, knob.default]));

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
