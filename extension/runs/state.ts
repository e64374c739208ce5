/** What a run is doing, told from what happened to it. Pure. */
import type { RunEvent, RunState, RunStatus } from "../protocol/runFolder";

export interface Signs {
  events: readonly RunEvent[];
  /** run.json is there. */
  described: boolean;
  /** Whether the process of the last `started` event is there; undefined when that cannot be told (another host). */
  alive: boolean | undefined;
  step: number;
  steps: number | null;
  loss: number | null;
  validationLoss: number | null;
  /** Milliseconds since the epoch; null when nothing was written. */
  firstTime: number | null;
  lastTime: number | null;
  /** Of trainer.log, for a crash. */
  lastLines: string;
}

export function deriveState(signs: Signs): RunState {
  const { events, step, steps, loss, validationLoss } = signs;
  const { status, reason } = statusOf(signs);
  const times = events.map((event) => Date.parse(event.time));
  const all = [signs.lastTime, ...times].filter((time): time is number => time !== null);
  return {
    status,
    step: Math.max(step, ...events.slice(-1).map((event) => event.step)),
    steps,
    loss,
    validationLoss,
    startedAt: times[0] ?? signs.firstTime,
    updatedAt: all.length > 0 ? Math.max(...all) : null,
    reason,
  };
}

function statusOf(signs: Signs): { status: RunStatus; reason: string | null } {
  const last = signs.events.findLast((event) => STATES.has(event.type));
  if (!last) {
    // A folder with nothing in it has just been made; one with numbers and no word of how they came is another tool's.
    const begins = signs.described || signs.lastTime === null;
    return { status: begins ? "starting" : "unknown", reason: null };
  }
  if (last.type === "finished") return { status: "finished", reason: null };
  if (last.type === "stopped") return { status: "stopped", reason: last.reason };
  if (last.type === "failed") return { status: "failed", reason: last.message };
  if (signs.alive === undefined) return { status: "unknown", reason: "It was started on another machine." };
  if (!signs.alive) {
    const log = signs.lastLines ? ` Its log ends:\n${signs.lastLines}` : "";
    return { status: "crashed", reason: `The trainer is gone without a word.${log}` };
  }
  if (last.type === "paused") return { status: "paused", reason: last.reason };
  const stepped = signs.step > (last.type === "started" ? last.step : 0);
  return { status: stepped ? "running" : "starting", reason: null };
}

const STATES = new Set<RunEvent["type"]>(["started", "paused", "resumed", "finished", "stopped", "failed"]);
