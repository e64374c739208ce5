/** Is there a device, and with which libraries: what everything else needs. */
import type { BackendReport } from "../../extension/protocol/description";
import type { Report } from "./report";
import { beside, ending, lastLines, nvidiaSmi, python, run, withoutLibraries } from "./processes";

const VARIABLE = "MUONSCOPE_CUDA_LIBRARIES";

/** Prints every folder of the `nvidia` wheels that holds a cuBLASLt: PyTorch brings one along. */
const FIND_WHEELS = `
import glob, os
try:
    import nvidia
    folders = {os.path.dirname(f) for p in nvidia.__path__ for f in glob.glob(os.path.join(p, "*", "lib", "libcublasLt.so.*"))}
    print(os.pathsep.join(sorted(folders)))
except ImportError:
    pass
`;

async function cudaReport(): Promise<BackendReport> {
  // In a process of its own: libraries are looked for once in each.
  const ended = await run(process.execPath, [beside("trainer.js"), "--backends"], { limit: 60 });
  if (ended.code !== 0) throw new Error(`the trainer should list the backends, but ended with ${ending(ended)}\n${ended.output}`);
  const reports = JSON.parse(lastLines(ended.output, 1)) as BackendReport[];
  for (const { id, detail } of reports) if (id !== "cuda") console.log(`backend ${id}: ${detail}`);
  const cuda = reports.find(({ id }) => id === "cuda");
  return cuda ?? { id: "cuda", available: false, detail: "This build has no CUDA backend.", devices: [] };
}

/** False, with the sentence of it printed, where nothing can be checked. Sets where NVIDIA's libraries are for what comes after. */
export async function findDevice(report: Report): Promise<boolean> {
  let cuda = await cudaReport();
  if (!cuda.available && cuda.detail.includes("cublasLt") && !process.env[VARIABLE]) {
    const { code, output } = await run(python(), ["-c", FIND_WHEELS], { limit: 60, env: withoutLibraries() });
    if (code === 0 && output.trim() !== "") {
      process.env[VARIABLE] = output.trim();
      console.log(`cuBLASLt is looked for where ${python()} keeps it: ${output.trim()}`);
      cuda = await cudaReport();
    }
  }
  if (!cuda.available) {
    report.fail("a device", `${cuda.detail}\nNothing could be checked.`);
    return false;
  }
  report.pass(`device: ${cuda.detail}; ${cuda.devices.join("; ")}`);
  if (cuda.devices.length < 2) report.skip("copies between GPUs", "there is one: it stands for all in the tests of ranks on several");
  return true;
}

/** "NVIDIA H100, driver 580.1" for the head of a table. */
export async function deviceLine(detail: string): Promise<string> {
  const answer = await nvidiaSmi("--query-gpu=name,driver_version");
  if (!Array.isArray(answer)) return `${detail}; ${answer.reason}`;
  const [name, driver] = (answer[0] ?? "").split(", ");
  return `${name}, driver ${driver} (${detail})`;
}
