/** The files that are made from the engine's description of itself: path from the root → content. */
import { makeSchema } from "../extension/runs/schema";
import { loadAddon } from "../extension/trainer/addon";

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

export function generatedFiles(): Map<string, string> {
  const description = loadAddon().describe();
  return new Map([
    // What the editor knows of the engine without loading it.
    ["media/description.json", json(description)],
    // Completion and hover in run files.
    ["media/muonscope.schema.json", json(makeSchema(description))],
  ]);
}
