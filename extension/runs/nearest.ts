/** Finds what a person probably meant. */

/** Levenshtein distance, case aside. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1]!.toLowerCase() === b[j - 1]!.toLowerCase();
      next.push(Math.min(row[j - 1]! + (same ? 0 : 1), row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The nearest of the known names; of equally near ones the first. Undefined when there is none. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Infinity;
  for (const candidate of known) {
    const d = distance(name, candidate);
    if (d < least) [best, least] = [candidate, d];
  }
  return best;
}

/** `Unknown preset "mon": did you mean "muon"?` */
export function unknown(what: string, name: string, known: readonly string[]): string {
  const guess = nearest(name, known);
  return `unknown ${what} ${JSON.stringify(name)}${guess === undefined ? "" : `; did you mean ${JSON.stringify(guess)}?`}`;
}
