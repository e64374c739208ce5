/** How much memory this process has taken at most. */
import { existsSync, readFileSync } from "node:fs";

const STATUS = "/proc/self/status";

/** Largest resident size so far, bytes. */
export function peakMemory(): number {
  // On Linux `resourceUsage` begins with the size of the process that started this one, for maxrss outlives execve(2); the
  // high-water mark is this program's own. Elsewhere there is no such file.
  const own = existsSync(STATUS) ? /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(STATUS, "utf8"))?.[1] : undefined;
  return Number(own ?? process.resourceUsage().maxRSS) * 1024;
}
