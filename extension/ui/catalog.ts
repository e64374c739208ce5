/** What a run has to draw: plain scalars, and channels with the taps and matrices at which they were measured. Pure. */
import type { Catalog, Channel } from "../protocol/panels";
import type { DiagnosticDescription } from "../protocol/description";
import type { RunJson } from "../protocol/runFolder";
import { parseMatrixTag } from "../protocol/tags";
import type { RunReader } from "../runs/runFolder";

type Described = Pick<RunReader, "tags"> & { run: RunJson | undefined };
type Shape = Channel["shape"];

export function catalogOf(readers: readonly Described[]): Catalog {
  const descriptions = new Map<string, DiagnosticDescription>();
  const parameters = new Set<string>();
  for (const { run } of readers) {
    for (const description of run?.diagnostics ?? []) if (!descriptions.has(description.id)) descriptions.set(description.id, description);
    for (const { name } of run?.parameters ?? []) parameters.add(name);
  }
  const plain = new Set<string>();
  const channels = new Map<string, { shape: Shape; taps: Set<string> }>();
  const tensors = new Set<string>();
  for (const reader of readers) {
    for (const shape of ["scalar", "histogram", "vector"] as const) {
      for (const tag of reader.tags(shape)) {
        const place = parseMatrixTag(tag);
        // A log that another tool wrote describes nothing: there, three parts are a channel.
        if (!place || (reader.run && !descriptions.has(place.channel))) {
          if (shape === "scalar") plain.add(tag);
          continue;
        }
        const channel = channels.get(place.channel) ?? { shape, taps: new Set() };
        channel.taps.add(place.tap);
        channels.set(place.channel, channel);
        tensors.add(place.tensor);
      }
    }
  }
  const order = (known: string[]) => (a: string, b: string) =>
    rank(known, a) - rank(known, b) || a.localeCompare(b, "en", { numeric: true });
  return {
    plain: [...plain].sort(),
    channels: [...channels]
      .map(([id, { shape, taps }]): Channel => {
        const description = descriptions.get(id);
        return {
          id,
          title: description?.title ?? id,
          shape,
          unit: description?.unit ?? "",
          taps: [...taps].sort(order(description?.taps ?? [])),
          logarithmic: description?.logarithmic ?? false,
          meaning: description?.meaning ?? "",
        };
      })
      .sort((a, b) => order([...descriptions.keys()])(a.id, b.id)),
    tensors: [...tensors].sort(order([...parameters])),
  };
}

/** Place in the known order; unknown names come last. */
const rank = (known: string[], name: string): number => (known.includes(name) ? known.indexOf(name) : known.length);
