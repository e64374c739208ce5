/** Gives an order to a run: one line appended to its `control.jsonl`, obeyed at the next step boundary. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { CONTROL_JSONL, type Order } from "../protocol/runFolder";
import { openToAppend } from "./ownFiles";

type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;
export type NewOrder = WithoutId<Order>;

/** Resolves to the order's id, by which `events.jsonl` answers it. Rejects when the file cannot be written to, or is a link out of the folder. */
export async function order(folder: string, what: NewOrder): Promise<string> {
  const id = randomUUID();
  // O_APPEND and a single write: two editors' orders never mix within a line.
  const file = await openToAppend(join(folder, CONTROL_JSONL));
  try {
    await file.write(`${JSON.stringify({ id, ...what })}\n`);
  } finally {
    await file.close();
  }
  return id;
}
