/** What tests stand on: folders that are removed after them, and waiting that comes to an end. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

export function temporaryFolder(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "muonscope-"));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
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
