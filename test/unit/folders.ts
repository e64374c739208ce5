/** What tests stand on: folders that are removed after them, and waiting that comes to an end. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

export function temporaryFolder(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "muonscope-"));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder on a disk of its own, of this size in KiB. Undefined, with the test skipped, where none may be mounted. */
export function smallDisk(test: TestContext, size: number): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "muonscope-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}k`, "tmpfs", folder], { stdio: "pipe" });
  } catch (error) {
    rmSync(folder, { recursive: true });
    test.skip(`a small disk needs the right to mount one: ${(error as Error).message.trim().split("\n").at(-1)}`);
    return undefined;
  }
  test.after(() => {
    execFileSync("umount", ["-l", folder]);
    rmSync(folder, { recursive: true });
  });
  return folder;
}

/** Rejects, naming `what`, when it does not come true in time. */
export async function until(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await look())) {
    if (Date.now() > deadline) throw new Error(`waited 20 s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
