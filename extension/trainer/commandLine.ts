/** The trainer's arguments. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { UserError } from "./userError";

export const USAGE = `Usage:
  npm run train -- FILE [options]      starts a run from a run file (*.muonscope.json)
  npm run train -- --resume FOLDER     goes on with a run from its last checkpoint

Options:
  --data PATH      train on this file or glob instead of the run file's
  --steps N        make this many steps instead of the run file's
  --runs FOLDER    where the run's folder is made (default: .muonscope/runs beside the run file)
  --help           show this`;

export type Command =
  | { help: true }
  | { resume: string }
  | {
      /** Undefined: from standard input. */
      file: string | undefined;
      /** Where the file stands, for its globs and its name. */
      as: string;
      data: string | undefined;
      steps: number | undefined;
      runs: string | undefined;
      /** Already made for this run, by whoever keeps its log there. */
      folder: string | undefined;
    };

export function parseCommandLine(args: string[]): Command {
  const { values, positionals } = parse(args);
  if (values.help) return { help: true };
  if (values.resume !== undefined) {
    const others = Object.keys(values).filter((key) => key !== "resume");
    if (positionals.length > 0 || others.length > 0)
      throw new UserError(
        `--resume takes a run as it is; leave out ${[...positionals, ...others.map((key) => `--${key}`)].join(", ")}.\n\n${USAGE}`,
      );
    return { resume: resolve(values.resume) };
  }
  const [file] = positionals;
  if (file === undefined || positionals.length > 1)
    throw new UserError(`Expected one run file, received ${positionals.length}.\n\n${USAGE}`);
  if (file === "-" && values.as === undefined)
    throw new UserError("A run file from standard input needs --as FILE, to which its globs are relative.");
  return {
    file: file === "-" ? undefined : resolve(file),
    as: resolve(values.as ?? file),
    data: values.data,
    steps: values.steps === undefined ? undefined : Number(values.steps),
    runs: values.runs && resolve(values.runs),
    folder: values.folder && resolve(values.folder),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        data: { type: "string" },
        steps: { type: "string" },
        runs: { type: "string" },
        resume: { type: "string" },
        folder: { type: "string" },
        as: { type: "string" },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UserError(`${(error as Error).message}\n\n${USAGE}`);
  }
}
