/** Starts the trainer as a process of its own, which outlives the editor. */

export interface LaunchOptions {
  /** A run file, a run file's content (a template; `file` is where it would stand, for its globs), or a run to go on with. */
  source: { runFile: string } | { content: unknown; file: string } | { resume: string };
  /** Where new runs go. */
  runsFolder: string;
  /** dist/trainer.js, absolute. */
  trainerScript: string;
  /** Default: process.execPath. */
  nodePath?: string;
}

/** Rejects with the trainer's own message when it fails before its run is there. */
export async function launch(options: LaunchOptions): Promise<{ folder: string; pid: number }> {
  throw new Error(`not launched: ${options.trainerScript}`);
}
