/** What a run needs, in a sentence, before it begins. */
import type { RunMemory } from "../protocol/description";
import { formatBytes, formatMemory } from "../protocol/format";

/** `device`: as the list of devices names it, "NVIDIA H200, 139.8 GiB"; undefined on the CPU. */
export function memoryLine(memory: RunMemory, device: string | undefined): string {
  const where = device === undefined ? "this machine" : device.replace(/, [^,]*$/, "");
  return `Needs ${formatMemory(memory)}; ${formatBytes(memory.available)} are free on ${where}.`;
}
