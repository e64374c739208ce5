/**
 * `npm run bench [-- steps optimizer diagnostics]`: every figure is a ratio measured side by side in this run, or says that it
 * is not. Nothing here passes or fails a build.
 */
import { execFileSync } from "node:child_process";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { loadAddon } from "../../extension/trainer/addon";
import { diagnosticsCost } from "./diagnostics";
import { optimizerSteps, trainingSteps } from "./steps";
import { startTorch } from "./torchWorker";

async function main(selected: string[]): Promise<void> {
  const root = process.cwd();
  const wants = (name: string): boolean => selected.length === 0 || selected.includes(name);
  const addon = loadAddon();
  const commit = execFileSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" }).trim();
  console.log(
    `commit ${commit}; ${cpus().length} × ${cpus()[0]?.model ?? "?"}; load ${loadavg()[0]?.toFixed(2) ?? "?"}; node ${process.version}`,
  );
  for (const { id, detail } of addon.backends()) console.log(`backend ${id}: ${detail}`);
  if (wants("steps") || wants("optimizer")) {
    const python = process.env["MUONSCOPE_PYTHON"] ?? "python3";
    const torch = await startTorch(python, join(root, "test", "bench", "torch_worker.py"));
    if (torch) {
      console.log(`PyTorch ${torch.version}`);
      if (wants("steps")) await trainingSteps(addon, torch);
      if (wants("optimizer")) await optimizerSteps(addon, torch);
      torch.stop();
    }
  }
  if (wants("diagnostics")) await diagnosticsCost(join(root, "dist", "trainer.js"), root);
}

void main(process.argv.slice(2));
