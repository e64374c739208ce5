/** Figures of speed and memory on the device, beside PyTorch where it is there. Nothing here passes or fails. A process of its own. */
import { existsSync, readFileSync } from "node:fs";
import { loadAddon } from "../../extension/trainer/addon";
import { diagnosticsRows } from "./benchDiagnostics";
import { optimizerRows } from "./benchOptimizer";
import { trainingRows } from "./benchTraining";
import { deviceLine } from "./devices";
import type { Part } from "./part";
import { beside } from "./processes";
import { sizeOf } from "./sizes";
import { Table } from "./table";
import { startTorch } from "./torch";

export async function benchmarks({ small, left }: Part): Promise<void> {
  const addon = loadAddon();
  const cuda = addon.backends().find(({ id }) => id === "cuda");
  const torch = await startTorch(small);
  const commit = existsSync(beside("commit.txt")) ? readFileSync(beside("commit.txt"), "utf8").trim() : "unknown";
  const rival = "reason" in torch ? "no PyTorch" : torch.version;
  const table = new Table(`${await deviceLine(cuda?.detail ?? "no device")}; Node ${process.version}, ${rival}; commit ${commit}`);
  const bench = { addon, torch, table, size: sizeOf(small), small, left };
  try {
    // Each with the seconds below which it is not begun.
    for (const [name, seconds, rows] of [
      ["the optimizer", 40, optimizerRows],
      ["whole steps", 60, trainingRows],
      ["diagnostics", 90, diagnosticsRows],
    ] as const) {
      if (left() < (small ? 0 : seconds)) table.skip(`benchmarks of ${name}`, `not measured: ${left().toFixed(0)} s were left`);
      else await rows(bench).catch((error: Error) => table.skip(`benchmarks of ${name}`, error.message));
    }
  } finally {
    table.end();
    if (!("reason" in torch)) torch.stop();
  }
}
