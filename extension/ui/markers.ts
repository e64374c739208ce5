/** What was done to a run, as marks on its charts. Pure. */
import type { Marker } from "../protocol/panels";
import type { RunEvent } from "../protocol/runFolder";
import type { Series } from "../protocol/series";
import { atOrBefore } from "../runs/compare";
import { history, valueText } from "./knobs";
import { secondsAt } from "./timeline";

/** `loss`: by which steps are placed in time; undefined for a run without one. */
export function markersOf(run: number, events: readonly RunEvent[], loss: Series | undefined): Marker[] {
  const timeAt = (step: number): number => {
    const at = loss && atOrBefore(loss.steps, step);
    return at === undefined ? 0 : secondsAt(loss!, events, [at])[0]!;
  };
  return history(events).flatMap((event): Marker[] => {
    if (event.type !== "applied") return [];
    const place = { run, step: event.step, time: timeAt(event.step) };
    if (event.do) return [{ ...place, kind: "do", label: event.do, detail: event.do }];
    const set = Object.entries(event.set ?? {});
    const scope = event.scope && event.scope !== "*" ? event.scope : undefined;
    const before = (knob: string) => (event.before && knob in event.before ? `${valueText(event.before[knob])} → ` : "");
    return [
      {
        ...place,
        kind: "set",
        label: set.map(([knob, value]) => `${knob} ${valueText(value)}`).join(", ") + (scope ? ` · ${scope}` : ""),
        detail: `${set.map(([knob, value]) => `${knob} ${before(knob)}${valueText(value)}`).join(", ")} (${scope ?? "everywhere"})`,
      },
    ];
  });
}
