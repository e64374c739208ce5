/** Folders of tests: made for one, removed after it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

export function temporaryFolder(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "muonscope-"));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
