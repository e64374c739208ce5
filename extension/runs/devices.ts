/** What runs can run on: the backends and GPUs that the trainer's program finds on this machine, and the choice among them. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { BackendReport } from "../protocol/description";
import { environmentOf, nodeOf, type TrainerProgram } from "./trainerProgram";

/** A backend, and which of its GPUs where it has some. */
export interface DeviceChoice {
  backend: string;
  device?: number;
}

export type NamedDevice = DeviceChoice & {
  /** "NVIDIA H200, 139.8 GiB", or a backend's detail. */
  name: string;
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
      devices.length > 0 ? devices.map((name, device) => ({ backend: id, device, name })) : [{ backend: id, name: detail }],
    );

/**
 * What its user chooses from for a run that asks for `asked.backend`: the last choice first, then what the run asks for.
 * Empty where there is nothing to choose: with one GPU or none, `auto` decides.
 */
export function choicesFor(asked: Required<DeviceChoice>, reports: readonly BackendReport[], last?: DeviceChoice): NamedDevice[] {
  const possible = devicesOf(reports).filter(({ backend }) => asked.backend === "auto" || backend === asked.backend);
  if (possible.filter(({ device }) => device !== undefined).length < 2) return [];
  const isLast = ({ backend, device }: DeviceChoice): boolean => backend === last?.backend && device === last.device;
  const rank = (each: DeviceChoice): number => (isLast(each) ? 0 : each.device === asked.device ? 1 : each.device === undefined ? 3 : 2);
  return possible.sort((a, b) => rank(a) - rank(b));
}
