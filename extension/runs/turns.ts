/** When a run began to train and when it ceased to, as its events have it. Pure, but for what it remembers of events that only grow. */
import type { RunEvent } from "../protocol/runFolder";

export interface Turn {
  what: "started" | "ceased" | "resumed";
  /** Since the epoch. */
  seconds: number;
}

const TURNS: Partial<Record<RunEvent["type"], Turn["what"]>> = {
  started: "started",
  resumed: "resumed",
  ...{ paused: "ceased", stopped: "ceased", failed: "ceased", finished: "ceased" },
};

const known = new WeakMap<readonly RunEvent[], { seen: number; turns: Turn[] }>();

/** In the order of the events. Each time is read once: asked for again, only events that came since are looked at. */
export function turnsOf(events: readonly RunEvent[]): readonly Turn[] {
  let found = known.get(events);
  if (!found || found.seen > events.length) known.set(events, (found = { seen: 0, turns: [] }));
  for (; found.seen < events.length; found.seen++) {
    const event = events[found.seen]!;
    const what = TURNS[event.type];
    if (what) found.turns.push({ what, seconds: Date.parse(event.time) / 1000 });
  }
  return found.turns;
}
