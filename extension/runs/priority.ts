/** How much of the processors a trainer gets when others want them, too. */
import { existsSync, writeFileSync } from "node:fs";
import { constants, setPriority } from "node:os";

/** 10: about a tenth of what a process at normal priority gets (sched(7): 1.25 a step of niceness); all while nobody else asks. */
const NICENESS = constants.priority.PRIORITY_BELOW_NORMAL;

/**
 * Lets the editor and its user's other work go first. `pid`: of a process that has just been started in a session of its own.
 * Returns why it could not be done, for the log: a run is not worth losing over it.
 */
export function goLast(pid: number): string | undefined {
  try {
    setPriority(pid, NICENESS);
    // Where Linux groups processes by session, niceness counts only within a session; the session has one of its own (sched(7)).
    const ofSession = `/proc/${pid}/autogroup`;
    if (existsSync(ofSession)) writeFileSync(ofSession, `${NICENESS}`);
    return undefined;
  } catch (error) {
    return `The trainer runs at the editor's own priority: ${(error as Error).message}`;
  }
}
