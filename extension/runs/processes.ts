/** Tells whether a process that a run folder names is still the one that wrote there: process ids are used again. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

/**
 * When a process was started, as text to compare; undefined when there is no such process. Linux: boot and clock ticks
 * (proc(5), /proc/pid/stat field 22); elsewhere as `ps` prints it; on Windows only that it is there.
 */
export async function processStart(pid: number): Promise<string | undefined> {
  if (process.platform === "linux") return linuxStart(pid);
  if (process.platform === "win32") {
    try {
      process.kill(pid, 0);
      return "";
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "EPERM" ? "" : undefined;
    }
  }
  try {
    const { stdout } = await promisify(execFile)("ps", ["-o", "lstart=", "-p", `${pid}`]);
    return stdout.trim() || undefined;
  } catch {
    return undefined; // ps says with its exit status that there is none
  }
}

async function linuxStart(pid: number): Promise<string | undefined> {
  let stat: string;
  try {
    stat = await readFile(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The command, in parentheses, may hold spaces and parentheses itself: fields are counted from its end.
  const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (state === "Z" || state === "X") return undefined; // dead, not yet reaped by its parent
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
  return `${boot.trim()} ${rest[18]}`;
}

export async function isAlive(pid: number, start: string): Promise<boolean> {
  return (await processStart(pid)) === start;
}
