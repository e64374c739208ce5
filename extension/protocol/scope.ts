/** Which parameters an order is for: a pattern over their names, matched alike by trainer, editor and page. */

/** Characters of the longest pattern. Names of parameters have tens. */
export const MOST_SCOPE = 1000;

/**
 * `*` stands for any text, dots and nothing included; everything else for itself (native/core/glob.h). In pattern × name
 * steps at most, whatever the pattern. Throws on one of more than MOST_SCOPE characters.
 */
export function inScope(scope: string, name: string): boolean {
  if (scope.length > MOST_SCOPE) throw new Error(`scope: expected at most ${MOST_SCOPE} characters, received ${scope.length}`);
  let at = 0;
  /** The last `*` so far, and how much of the name was tried without it. */
  let star = -1;
  let tried = 0;
  for (let i = 0; i < name.length;) {
    // First, for a name may hold a star itself.
    if (scope[at] === "*") {
      star = at++;
      tried = i;
    } else if (scope[at] === name[i]) {
      at++;
      i++;
    } else if (star >= 0) {
      // Only the last one has to take more: what an earlier one could, this one can, too.
      at = star + 1;
      i = ++tried;
    } else {
      return false;
    }
  }
  while (scope[at] === "*") at++;
  return at === scope.length;
}
