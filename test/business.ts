/** How busy this machine is with other work, for limits that were promised for a quiet one. */

/** Milliseconds of processor time: many turns of the scheduler's. */
const SAMPLE_MS = 200;

/** How many times as long as alone a process takes now for what it computes; 1 on a quiet machine. Computes to find out. */
export function business(): number {
  const begun = performance.now();
  const before = process.cpuUsage();
  let used = 0;
  while (used < SAMPLE_MS) {
    const { user, system } = process.cpuUsage(before);
    used = (user + system) / 1000;
  }
  return Math.max(1, (performance.now() - begun) / used);
}
