/** What runs can run on: the backends and GPUs that the trainer's program finds on this machine, and the choice among them. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { BackendReport } from "../protocol/description";
import { gpusOf, type RunSpec } from "../protocol/runFile";
import { environmentOf, nodeOf, type TrainerProgram } from "./trainerProgram";

/** A backend, and which of its GPUs, or several of them, where it has some. */
export interface DeviceChoice {
  backend: string;
  device?: RunSpec["device"];
}

export type NamedDevice = DeviceChoice & {
  /** "GPU 0", "All 2 GPUs", "CPU". */
  label: string;
  /** "NVIDIA H200, 139.8 GiB", or a backend's detail. */
  name: string;
  /** Of several: what each is for. */
  detail?: string;
};

/** Milliseconds. A driver that loads for many GPUs takes seconds; one that hangs is not waited for. */
const LIMIT = 60_000;

/** Asked in a process of its own: the editor loads no native code. Rejects with what the program said. */
export async function findBackends(program: TrainerProgram): Promise<BackendReport[]> {
  let text;
  try {
    const options = { env: environmentOf(program), timeout: LIMIT, windowsHide: true };
    text = (await promisify(execFile)(nodeOf(program), [program.trainerScript, "--backends"], options)).stdout;
  } catch (error) {
    const { stderr, message, killed } = error as Error & { stderr?: string; killed?: boolean };
    const said = stderr?.trim() || (killed ? `it gave no answer within ${LIMIT / 1000} s` : message);
    throw new Error(`The trainer could not say which backends there are: ${said}`);
  }
  try {
    return JSON.parse(text) as BackendReport[];
  } catch (error) {
    throw new Error(`The trainer should have listed its backends as JSON, and said ${JSON.stringify(text)}: ${(error as Error).message}.`);
  }
}

/** Everything that runs can run on. */
export const devicesOf = (reports: readonly BackendReport[]): NamedDevice[] =>
  reports
    .filter(({ available }) => available)
    .flatMap(({ id, detail, devices }) =>
      devices.length > 0
        ? devices.map((name, device) => ({ backend: id, device, label: `GPU ${device}`, name }))
        : [{ backend: id, label: id.toUpperCase(), name: detail }],
    );

/** All GPUs that the ranks suffice for, and those that the run file names: each where it is several, and there. */
function severalOf({ device, sharding: { ranks } }: Asked, { id, devices }: BackendReport): NamedDevice[] {
  const all = [...devices.keys()];
  const lists = [gpusOf({ device }), all.slice(0, ranks)].filter(
    (list) => list.length > 1 && list.every((index) => index < devices.length),
  );
  return lists
    .filter((list, i) => lists.findIndex((other) => isSame(other, list)) === i)
    .map((list) => ({
      backend: id,
      device: list,
      label: isSame(list, all) ? `All ${all.length} GPUs` : `GPUs ${list.join(", ")}`,
      name: list.map((index) => devices[index]).join(" + "),
      detail: `The model trains on GPU ${list[0]}; the optimizer's ${ranks} ranks are dealt to ${list.length === 2 ? "both" : `all ${list.length}`} in turn`,
    }));
}

/** [1] is 1. */
const isSame = (a: DeviceChoice["device"], b: DeviceChoice["device"]): boolean => String(a) === String(b);

type Asked = Pick<RunSpec, "backend" | "device" | "sharding">;

/**
 * What its user chooses from for a run that asks for `asked.backend`: the last choice first, then what the run asks for.
 * Empty where there is nothing to choose: with one GPU or none, `auto` decides.
 */
export function choicesFor(asked: Asked, reports: readonly BackendReport[], last?: DeviceChoice): NamedDevice[] {
  const usable = reports.filter(({ id, available }) => available && (asked.backend === "auto" || id === asked.backend));
  const single = devicesOf(usable);
  if (single.filter(({ device }) => device !== undefined).length < 2) return [];
  const isLast = ({ backend, device }: DeviceChoice): boolean => backend === last?.backend && isSame(device, last.device);
  const place = (each: DeviceChoice): number =>
    isLast(each) ? 0 : isSame(each.device, asked.device) ? 1 : each.device === undefined ? 3 : 2;
  return [...single, ...usable.flatMap((report) => severalOf(asked, report))].sort((a, b) => place(a) - place(b));
}
