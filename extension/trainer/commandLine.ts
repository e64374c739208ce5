/** The trainer's arguments. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { UserError } from "../runs/userError";

export const USAGE = `Usage:
  npm run train -- FILE [options]      starts a run from a run file (*.muonscope.json)
  npm run train -- --resume FOLDER     goes on with a run from its last checkpoint
  npm run train -- --backends          lists the backends and GPUs of this machine, as JSON

Options:
  --data PATH      train on this file or glob instead of the run file's
  --steps N        make this many steps instead of the run file's
  --backend NAME   run on cpu, cuda or auto instead of the run file's
  --device N[,N…]  run on this GPU, or these, instead of the run file's
  --runs FOLDER    where the run's folder is made (default: .muonscope/runs beside the run file)
  --help           show this`;

export type Command =
  | { help: true }
  | { backends: true }
  | { resume: string }
  | {
      /** Undefined: from standard input. */
      file: string | undefined;
      /** Where the file stands, for its globs and its name. */
      as: string;
      data: string | undefined;
      steps: number | undefined;
      backend: string | undefined;
      device: number | number[] | undefined;
      runs: string | undefined;
      /** Already made for this run, by whoever keeps its log there. */
      folder: string | undefined;
    };

export function parseCommandLine(args: string[]): Command {
  const { values, positionals } = parse(args);
  const alone = (option: string, why: string): void => {
    const others = Object.keys(values).filter((key) => key !== option);
    if (positionals.length > 0 || others.length > 0)
      throw new UserError(`--${option} ${why}; leave out ${[...positionals, ...others.map((key) => `--${key}`)].join(", ")}.\n\n${USAGE}`);
  };
  if (values.help) return { help: true };
  if (values.backends) {
    alone("backends", "lists and does nothing else");
    return { backends: true };
  }
  if (values.resume !== undefined) {
    alone("resume", "takes a run as it is");
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
    backend: values.backend,
    device: values.device === undefined ? undefined : parseDevice(values.device),
    runs: values.runs && resolve(values.runs),
    folder: values.folder && resolve(values.folder),
  };
}

/** `1`, or `0,1`. */
function parseDevice(text: string): number | number[] {
  if (!/^\d+(,\d+)*$/.test(text))
    throw new UserError(`--device: expected an integer, or several with a comma between them, received ${JSON.stringify(text)}.`);
  return text.includes(",") ? text.split(",").map(Number) : Number(text);
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        data: { type: "string" },
        steps: { type: "string" },
        backend: { type: "string" },
        device: { type: "string" },
        runs: { type: "string" },
        resume: { type: "string" },
        backends: { type: "boolean" },
        folder: { type: "string" },
        as: { type: "string" },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UserError(`${(error as Error).message}\n\n${USAGE}`);
  }
}
