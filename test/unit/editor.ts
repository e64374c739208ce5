/** The whole extension, active on a workspace, outside of an editor. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { activate } from "../../extension/main";
import { fake } from "./fakeVscode";
import { temporaryFolder, until } from "./folders";

/** `workspace`: has one run, in `runs`. Returns the Runs view once it is listed. */
export async function openEditor(t: TestContext, workspace: string): Promise<(typeof fake.trees)[number]> {
  fake.folders = [workspace];
  fake.settings["muonscope.runsFolder"] = "runs";
  const context = fake.context(temporaryFolder(t));
  const api = activate(context);
  t.after(() => context.subscriptions.forEach((each) => void each.dispose()));
  await until("the run", () => api.runs().length === 1);
  const [tree] = fake.trees;
  assert.ok(tree);
  return tree;
}
