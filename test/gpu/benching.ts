/** What every group of benchmark rows is given. */
import type { Addon } from "../../extension/trainer/addon";
import type { Size } from "./sizes";
import type { Table } from "./table";
import type { Torch } from "./torch";

export interface Bench {
  addon: Addon;
  torch: Torch | { reason: string };
  table: Table;
  size: Size;
  small: boolean;
  /** Seconds. */
  left(): number;
}

/** Turns that every comparison takes. */
export const TURNS = 5;
