/** The trainer's program, and with what it is started. */
import { delimiter } from "node:path";

export interface TrainerProgram {
  /** dist/trainer.js, absolute. */
  trainerScript: string;
  /** Default: process.execPath. */
  nodePath?: string;
  /** Folders to look for NVIDIA's libraries in, before all others. */
  cudaLibraries?: readonly string[];
}

/** Read by the engine's search for NVIDIA's libraries (native/backend/cuda). */
const CUDA_LIBRARIES = "MUONSCOPE_CUDA_LIBRARIES";

export const nodeOf = ({ nodePath }: TrainerProgram): string => nodePath ?? process.execPath;

export function environmentOf({ cudaLibraries = [] }: TrainerProgram): NodeJS.ProcessEnv {
  const folders = [...cudaLibraries, process.env[CUDA_LIBRARIES] ?? ""].filter((folder) => folder !== "");
  return {
    ...process.env,
    // The editor's execPath is Electron, which is Node when told so.
    ELECTRON_RUN_AS_NODE: "1",
    ...(folders.length > 0 && { [CUDA_LIBRARIES]: folders.join(delimiter) }),
  };
}
