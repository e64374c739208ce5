/** What a page offers of all that runs have to draw: no more of each than its pickers hold without standing still. Pure. */
import { formatCount } from "../protocol/format";
import type { Catalog } from "../protocol/panels";
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

/** `leftOut`: a sentence's part, or empty. */
export function choicesOf(readers: Parameters<typeof catalogOf>[0]): { catalog: Catalog; leftOut: string } {
  const all = catalogOf(readers);
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
