/** What a run has to draw: plain scalars, and channels with the taps and matrices at which they were measured. Pure. */
import type { Catalog, Channel } from "../protocol/panels";
import type { DiagnosticDescription } from "../protocol/description";
import type { RunJson } from "../protocol/runFolder";
import { parseMatrixTag } from "../protocol/tags";
import type { RunReader } from "../runs/runFolder";

type Described = Pick<RunReader, "tags"> & { run: RunJson | undefined };
type Shape = Channel["shape"];

/** Made once: `localeCompare` makes one at every call. */
const byNumber = new Intl.Collator("en", { numeric: true });

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
  const order = (known: Iterable<string>) => {
    const ranks = new Map([...known].map((name, rank) => [name, rank]));
    // Unknown names come last.
    const rank = (name: string): number => ranks.get(name) ?? ranks.size;
    return (a: string, b: string) => rank(a) - rank(b) || byNumber.compare(a, b);
  };
  const byDescription = order(descriptions.keys());
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
      .sort((a, b) => byDescription(a.id, b.id)),
    tensors: [...tensors].sort(order(parameters)),
  };
}
