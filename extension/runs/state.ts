/** What a run is doing, told from what happened to it. Pure. */
import type { RunEvent, RunState, RunStatus } from "../protocol/runFolder";

export interface Signs {
  /** The latest event that says what the run is doing. */
  event: RunEvent | undefined;
  /** Of the last event. */
  eventStep: number;
  /** Milliseconds since the epoch, of events; null when there are none. */
  firstEvent: number | null;
  lastEvent: number | null;
  /** run.json is there. */
  described: boolean;
  /** What is wrong with run.json; null when nothing is. */
  problem: string | null;
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
  const { steps, loss, validationLoss, firstEvent, lastEvent, firstTime, lastTime } = signs;
  const { status, reason } = statusOf(signs);
  return {
    status,
    step: Math.max(signs.step, signs.eventStep),
    steps,
    loss,
    validationLoss,
    startedAt: firstEvent ?? firstTime,
    updatedAt: lastEvent === null || lastTime === null ? (lastEvent ?? lastTime) : Math.max(lastEvent, lastTime),
    reason,
  };
}

function statusOf(signs: Signs): { status: RunStatus; reason: string | null } {
  const last = signs.event;
  if (!last) {
    if (signs.problem !== null) return { status: "unknown", reason: signs.problem };
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

/** Whether an event says what the run is doing. */
export const isState = ({ type }: RunEvent): boolean => STATES.has(type);
