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

/** Names that are sorted by the numbers in them, which takes long: of more, only some are offered. */
const MOST_BY_NUMBER = 2000;
const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
/** Tags that are looked at before others may run. */
const SOME = 64;

/** To be driven to its end, in one go or with others between: a run may have tens of thousands of tags. */
export function* catalogOf(readers: readonly Described[]): Generator<undefined, Catalog> {
  const descriptions = new Map<string, DiagnosticDescription>();
  const parameters = new Set<string>();
  for (const { run } of readers) {
    for (const description of run?.diagnostics ?? []) if (!descriptions.has(description.id)) descriptions.set(description.id, description);
    for (const { name } of run?.parameters ?? []) parameters.add(name);
  }
  const plain = new Set<string>();
  const channels = new Map<string, { shape: Shape; taps: Set<string> }>();
  const tensors = new Set<string>();
  let looked = 0;
  for (const reader of readers) {
    for (const shape of ["scalar", "histogram", "vector"] as const) {
      for (const tag of reader.tags(shape)) {
        if (++looked % SOME === 0) yield;
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
  yield;
  const order = (known: Iterable<string>, count: number) => {
    const ranks = new Map([...known].map((name, rank) => [name, rank]));
    // Unknown names come last.
    const rank = (name: string): number => ranks.get(name) ?? ranks.size;
    const compare = count > MOST_BY_NUMBER ? byText : (a: string, b: string) => byNumber.compare(a, b);
    return (a: string, b: string) => rank(a) - rank(b) || compare(a, b);
  };
  const described: Channel[] = [];
  for (const id of [...channels.keys()].sort(order(descriptions.keys(), channels.size))) {
    if (described.length % SOME === 0) yield;
    const { shape, taps } = channels.get(id)!;
    const description = descriptions.get(id);
    described.push({
      id,
      title: description?.title ?? id,
      shape,
      unit: description?.unit ?? "",
      taps: [...taps].sort(order(description?.taps ?? [], taps.size)),
      logarithmic: description?.logarithmic ?? false,
      meaning: description?.meaning ?? "",
    });
  }
  yield;
  const sorted = [...tensors].sort(order(parameters, tensors.size));
  yield;
  return { plain: [...plain].sort(), channels: described, tensors: sorted };
}
