/** What a page offers of all that runs have to draw: no more of each than its pickers hold without standing still. Pure. */
import { formatCount } from "../protocol/format";
import type { Catalog } from "../protocol/panels";
import { Slices } from "../runs/slices";
import { catalogOf } from "./catalog";

/**
 * A page makes an element for each, in several pickers, at 0.15 ms apiece (10,000 took 3 s). A model of 96 layers has 576 matrices. What
 * is described comes first, so what is cut off is what nobody described, or the last layers.
 */
const MOST = { plain: 1000, channels: 200, tensors: 1000 };
const NAMES = { plain: "scalars", channels: "channels", tensors: "matrices" };
const MOST_TAPS = 50;
/** Characters; three of them are a tag, which a page asks for by its name. */
const LONGEST = 1000;

type List = keyof typeof MOST;

const short = (name: string): boolean => name.length <= LONGEST;

type Readers = Parameters<typeof catalogOf>[0];

/** `leftOut`: a sentence's part, or empty. */
interface Offer {
  catalog: Catalog;
  leftOut: string;
}

/** Those of a page's runs, made anew where they have other tags: at once, or in slices where they have very many. */
export class Choices {
  private from: readonly unknown[] = [];
  private offer: Offer = { catalog: { plain: [], channels: [], tensors: [] }, leftOut: "" };

  /** `changed`: is told when there are others than `of` gave. */
  constructor(private readonly changed: () => void) {}

  of(readers: Readers): Offer {
    const from = readers.flatMap((reader) => [
      reader.run,
      ...(["scalar", "histogram", "vector"] as const).map((kind) => reader.tags(kind)),
    ]);
    if (from.length === this.from.length && from.every((each, i) => each === this.from[i])) return this.offer;
    this.from = from;
    const work = choicesOf(readers);
    const slices = new Slices();
    while (!slices.spent) {
      const { done, value } = work.next();
      if (done) return (this.offer = value);
    }
    void this.finish(work, from, slices);
    return this.offer;
  }

  private async finish(work: Generator<undefined, Offer>, from: readonly unknown[], slices: Slices): Promise<void> {
    while (this.from === from) {
      await slices.breathe();
      const { done, value } = work.next();
      if (!done) continue;
      this.offer = value;
      return this.changed();
    }
  }
}

export function* choicesOf(readers: Readers): Generator<undefined, Offer> {
  const all = yield* catalogOf(readers);
  const catalog = {
    plain: all.plain.filter(short).slice(0, MOST.plain),
    channels: all.channels
      .filter(({ id }) => short(id))
      .slice(0, MOST.channels)
      .map((channel) => ({ ...channel, taps: channel.taps.filter(short).slice(0, MOST_TAPS) })),
    tensors: all.tensors.filter(short).slice(0, MOST.tensors),
  };
  const cut = (Object.keys(MOST) as List[]).filter((list) => all[list].length > catalog[list].length);
  const parts = cut.map((list) => `${formatCount(catalog[list].length)} of ${formatCount(all[list].length)} ${NAMES[list]}`);
  return { catalog, leftOut: parts.join(", ") };
}
