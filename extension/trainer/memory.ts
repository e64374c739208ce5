/** What a run needs, in a sentence, before it begins. */
import type { RunMemory } from "../protocol/description";
import { formatBytes, formatMemory } from "../protocol/format";

/** `device`: the model's, as the list of devices names it, "NVIDIA H200, 139.8 GiB"; undefined on the CPU. */
export function memoryLine(memory: RunMemory, device: string | undefined): string {
  const where = device === undefined ? "this machine" : device.replace(/, [^,]*$/, "");
  const elsewhere = (memory.others ?? []).map(({ device, available }) => `, ${formatBytes(available)} on GPU ${device}`);
  return `Needs ${formatMemory(memory)}; ${formatBytes(memory.available)} are free on ${where}${elsewhere.join("")}.`;
}
