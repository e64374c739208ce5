/** Lines of `events.jsonl` as they may be: the one way from what stands there to what is believed. Pure. */
import type { RunEvent } from "../protocol/runFolder";
import { MOST_SCOPE } from "../protocol/scope";
import { knobValue } from "./runJson";
import {
  fields,
  finite,
  integer,
  MESSAGE,
  NAME,
  object,
  oneOf,
  orNull,
  path,
  readJson,
  record,
  text,
  time,
  words,
  type Shape,
} from "./shape";

/** Process ids: 22 bits on Linux, 32 on Windows. */
const pid = integer(1, 2 ** 32 - 1);
/** Knobs of an order, and parameters of one knob. */
const [KNOBS, PARAMETERS] = [1000, 10_000];

/** The value of a knob before an order: one for all parameters, or one for each. */
const before: Shape<unknown> = (value, place) =>
  typeof value === "object" && value !== null ? record(knobValue, PARAMETERS)(value, place) : knobValue(value, place);

const loss = orNull(finite);
const reason = words(MESSAGE);

type Type = Exclude<RunEvent["type"], "unknown">;

/** By type, what an event has beside its type, time and step. */
const EVENTS: { [T in Type]: Shape<Omit<Extract<RunEvent, { type: T }>, "type" | "time" | "step">> } = {
  started: fields({ pid, host: text(NAME), processStart: text(NAME), resumedFrom: orNull(path) }),
  applied: fields(
    { order: text(NAME) },
    { do: text(NAME), set: record<unknown>(knobValue, KNOBS), scope: text(MOST_SCOPE), before: record(before, KNOBS) },
  ),
  refused: fields({ order: text(NAME), reason }),
  paused: fields({ reason }),
  resumed: fields({}),
  checkpoint: fields({ file: path, loss }),
  alert: fields({ severity: oneOf("warning", "error"), message: reason }),
  finished: fields({ loss, validationLoss: loss, seconds: finite }),
  stopped: fields({ reason, checkpoint: orNull(path) }),
  failed: fields({ message: reason }),
};

const head = fields({ type: words(NAME), time, step: integer(0) });

const event: Shape<RunEvent> = (value, place) => {
  const { type, ...when } = head(value, place);
  if (!Object.hasOwn(EVENTS, type)) return { ...when, type: "unknown", name: type };
  return { type, ...when, ...EVENTS[type as Type](object(value, place), place) } as RunEvent;
};

/** The event that a line tells of, or what is wrong with it, in words. */
export const parseEvent = (line: string): { read: RunEvent } | { problem: string } => readJson(line, event);
