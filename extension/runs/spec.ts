/** Turns a run file, as a person wrote it, into a complete spec, or into sentences that say what is wrong with it. */
import type { EngineDescription } from "../protocol/description";
import type { RunSpec } from "../protocol/runFile";

/** `context.file`: the run file's absolute path; its globs are relative to its folder and its name is the run's default name. */
export function resolveSpec(
  _json: unknown,
  _description: EngineDescription,
  context: { file: string },
): { spec: RunSpec } | { problems: string[] } {
  return { problems: [`${context.file}: not read`] };
}
