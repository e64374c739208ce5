/** What was done to a run, as marks on its charts. Pure. */
import type { Marker } from "../protocol/panels";
import type { RunEvent } from "../protocol/runFolder";
import type { Series } from "../protocol/series";
import { atOrBefore } from "../runs/compare";
import { history, valueText } from "./knobs";
import { cut } from "./plainText";
import { secondsAt } from "./timeline";

/** More than anyone tells apart on a page's charts: of those before, one mark says how many they are. */
const MOST = 2000;
/** Characters of a mark's texts. */
const LABEL = 200;
const DETAIL = 2000;

type Applied = Extract<RunEvent, { type: "applied" }>;

/** `loss`: by which steps are placed in time; undefined for a run without one. `runs`: how many have their marks on the same charts. */
export function markersOf(run: number, events: readonly RunEvent[], loss: Series | undefined, runs = 1): Marker[] {
  const all = history(events).filter((event): event is Applied => event.type === "applied");
  const most = Math.ceil(MOST / runs);
  const earlier = all.length > most ? all.length - (most - 1) : 0;
  const places = all.slice(Math.max(0, earlier - 1)).map(({ step }) => ({ run, step, time: 0 }));
  placeInTime(places, events, loss);
  const marks = places.map((place, i): Marker => {
    const event = all[all.length - places.length + i]!;
    if (earlier > 0 && i === 0) {
      const text = `${earlier} orders up to here`;
      return { ...place, kind: "do", label: text, detail: text };
    }
    return { ...place, ...wordsFor(event) };
  });
  return marks;
}

/** All at once: a look at the series for each would take as long as there are orders times events. */
function placeInTime(places: { step: number; time: number }[], events: readonly RunEvent[], loss: Series | undefined): void {
  if (!loss) return;
  const points = places.map(({ step }) => atOrBefore(loss.steps, step));
  const known = points.filter((point) => point !== undefined);
  const seconds = secondsAt(loss, events, known);
  let next = 0;
  for (const [i, place] of places.entries()) if (points[i] !== undefined) place.time = seconds[next++]!;
}

function wordsFor(event: Applied): Pick<Marker, "kind" | "label" | "detail"> {
  if (event.do) return { kind: "do", label: cut(event.do, LABEL), detail: cut(event.do, DETAIL) };
  const set = Object.entries(event.set ?? {});
  const scope = event.scope && event.scope !== "*" ? event.scope : undefined;
  const before = (knob: string) => (event.before && knob in event.before ? `${valueText(event.before[knob])} → ` : "");
  const label = set.map(([knob, value]) => `${knob} ${valueText(value)}`).join(", ") + (scope ? ` · ${scope}` : "");
  const detail = `${set.map(([knob, value]) => `${knob} ${before(knob)}${valueText(value)}`).join(", ")} (${scope ?? "everywhere"})`;
  return { kind: "set", label: cut(label, LABEL), detail: cut(detail, DETAIL) };
}
