/** What the features of the extension share. */
import type * as vscode from "vscode";
import type { Devices } from "./devices";
import type { Orders } from "./orders";
import type { Pages } from "./pages";
import type { RunStore } from "./runStore";
import type { Log } from "./say";

export interface App {
  readonly context: vscode.ExtensionContext;
  readonly log: Log;
  readonly runs: RunStore;
  readonly orders: Orders;
  readonly pages: Pages;
  readonly devices: Devices;
}
