/**
 * The one way in for what a page says: shape, types and bounds of every message, and which commands it may name. A page draws what a folder
 * says, so it is believed no more than the folder is. Pure.
 */
import type {
  CommandMessage,
  Control,
  FromCompare,
  FromDashboard,
  FromPage,
  ProfileRequest,
  SeriesRequest,
  SnapshotRequest,
} from "../protocol/panels";

/** A compared run keeps its slot, and with it its colour, while others come and go. */
export interface CompareSource {
  runs: { folder: string; slot: number }[];
}

/** Undefined when the value is right, else what is wrong with it. */
type Part = (value: unknown, place: string) => string | undefined;

/** Characters: names of matrices and knobs; paths; a stack of a script. */
const MOST_NAME = 4096;
const MOST_PATH = 10_000;
const MOST_STACK = 100_000;
/** Lines of a chart of every matrix of a large model; runs beside each other; pixels of a wall of screens. */
const MOST_REQUESTS = 10_000;
const MOST_RUNS = 1000;
const MOST_PIXELS = 100_000;

const leaf =
  (what: string, fits: (value: unknown) => boolean): Part =>
  (value, place) =>
    fits(value) ? undefined : `${place}: expected ${what}, received ${shown(value)}`;

const shown = (value: unknown): string => {
  const text = typeof value === "string" ? JSON.stringify(value.slice(0, 100)) : (JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
};

const text = (most: number): Part =>
  leaf(`a text of at most ${most} characters`, (value) => typeof value === "string" && value.length <= most);

const number = (from = -Infinity, to = Infinity): Part =>
  leaf(
    Number.isFinite(from) ? `a number from ${from} to ${to}` : "a finite number",
    (value) => isNumber(value) && value >= from && value <= to,
  );

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

const oneOf = <Choice extends string>(choices: Record<Choice, true>): Part =>
  leaf(Object.keys(choices).join(" or "), (value) => typeof value === "string" && Object.hasOwn(choices, value));

const orNull =
  (part: Part): Part =>
  (value, place) =>
    value === null ? undefined : part(value, place);

const list =
  (part: Part, most: number): Part =>
  (value, place) => {
    if (!Array.isArray(value) || value.length > most) return `${place}: expected a list of at most ${most}, received ${shown(value)}`;
    for (const [index, each] of value.entries()) {
      const wrong = part(each, `${place}[${index}]`);
      if (wrong) return wrong;
    }
    return undefined;
  };

/** All of these fields and no others. */
const record =
  <T extends object>(parts: { [Name in keyof Required<T>]: Part }): Part =>
  (value, place) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return `${place}: expected an object, received ${shown(value)}`;
    const stranger = Object.keys(value).find((name) => !Object.hasOwn(parts, name));
    if (stranger !== undefined) return `${place}: expected ${Object.keys(parts).join(", ")}, received ${shown(stranger)}`;
    for (const [name, part] of Object.entries<Part>(parts)) {
      const wrong = part((value as Record<string, unknown>)[name], `${place}.${name}`);
      if (wrong) return wrong;
    }
    return undefined;
  };

const name = text(MOST_NAME);
const path = text(MOST_PATH);
const step = orNull(number(0, Number.MAX_SAFE_INTEGER));
const always = leaf("", () => true);

/** What a page's buttons are for. Nothing else is executed for it. */
const COMMANDS: Record<CommandMessage["command"], true> = {
  "muonscope.pauseRun": true,
  "muonscope.singleStep": true,
  "muonscope.checkpointNow": true,
  "muonscope.measureNow": true,
  "muonscope.stopRun": true,
  "muonscope.resumeRun": true,
  "muonscope.openTrainerLog": true,
};

/** Parts of a message of each type; `type` itself is what it was found by. */
type Messages<Message extends { type: string }> = { [Type in Message["type"]]: Part };

const message = <Message extends { type: string }>(parts: { [Name in Exclude<keyof Message, "type">]: Part }): Part =>
  record<{ type: string }>({ type: always, ...parts });

const series = record<SeriesRequest>({
  panel: name,
  tag: name,
  axis: oneOf({ step: true, time: true }),
  range: orNull(record<{ from: number; to: number }>({ from: number(), to: number() })),
  width: number(0, MOST_PIXELS),
  smoothing: leaf("a number from 0, less than 1", (value) => isNumber(value) && value >= 0 && value < 1),
});

const COMMON: Messages<FromPage> = {
  ready: message({}),
  drawn: message({}),
  watch: message<Extract<FromPage, { type: "watch" }>>({
    series: list(series, MOST_REQUESTS),
    snapshots: list(record<SnapshotRequest>({ panel: name, tag: name, step }), MOST_REQUESTS),
    profiles: list(record<ProfileRequest>({ panel: name, channel: name, tap: name, step }), MOST_REQUESTS),
  }),
  pageError: message<Extract<FromPage, { type: "pageError" }>>({ message: text(MOST_STACK) }),
  command: message<CommandMessage>({ command: oneOf(COMMANDS) }),
};

const DASHBOARD: Messages<FromDashboard> = {
  ...COMMON,
  setKnob: message<Extract<FromDashboard, { type: "setKnob" }>>({
    knob: name,
    group: oneOf<Control["group"]>({ matrix: true, auxiliary: true, run: true }),
    value: leaf(
      "true, false, a finite number or a short text",
      (value) => typeof value === "boolean" || isNumber(value) || (typeof value === "string" && value.length <= MOST_NAME),
    ),
    scope: orNull(name),
  }),
};

const oneRun = message<Extract<FromCompare, { type: "openRun" | "removeRun" }>>({ run: path });

const COMPARE: Messages<FromCompare> = {
  ...COMMON,
  setTarget: message<Extract<FromCompare, { type: "setTarget" }>>({ loss: number() }),
  addRuns: message({}),
  openRun: oneRun,
  removeRun: oneRun,
};

/** Throws, saying what was expected and what came. */
const reader =
  <Message extends { type: string }>(parts: Messages<Message>) =>
  (said: unknown): Message => {
    const type: unknown = typeof said === "object" && said !== null && "type" in said ? said.type : undefined;
    if (typeof type !== "string" || !Object.hasOwn(parts, type))
      throw new Error(`expected a message of type ${Object.keys(parts).join(", ")}, received ${shown(said)}`);
    const wrong = parts[type as Message["type"]](said, type);
    if (wrong) throw new Error(wrong);
    return said as Message;
  };

export const fromDashboard = reader<FromDashboard>(DASHBOARD);
export const fromCompare = reader<FromCompare>(COMPARE);

/** What a page has kept of what it showed, from before a reload. Throws likewise. */
const kept =
  <Source extends object>(part: Part) =>
  (state: unknown): Source => {
    const source: unknown = typeof state === "object" && state !== null && "source" in state ? state.source : undefined;
    const wrong = part(source, "what it showed");
    if (wrong) throw new Error(wrong);
    return source as Source;
  };

export const dashboardSource = kept<{ folder: string }>(record<{ folder: string }>({ folder: path }));
export const compareSource = kept<CompareSource>(
  record<CompareSource>({
    runs: list(record<CompareSource["runs"][number]>({ folder: path, slot: number(0, MOST_RUNS) }), MOST_RUNS),
  }),
);
