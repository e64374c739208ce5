/**
 * Notices when a run's folder, its description or its logs were deleted, moved or replaced: what is trained then, nobody finds and
 * nobody stops.
 */
import { closeSync, openSync, statSync, type BigIntStats } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { RUN_JSON } from "../protocol/runFolder";

/** Milliseconds between looks. */
const EVERY = 500;

export interface Loss {
  /** A sentence's end. */
  how: string;
  /** The folder is the run's: it can be saved. */
  isOwn: boolean;
}

export class Presence {
  /** Open, so that no other folder gets its number. Windows opens no folders, and lets nobody move one with open files in it. */
  private readonly descriptor: number | undefined;
  private readonly folderIdentity: string;
  private readonly logIdentities: string[];
  private looked = performance.now();
  private missed = false;

  /** `logs`: held open by who writes them. */
  constructor(
    private readonly folder: string,
    private readonly logs: readonly string[],
  ) {
    this.descriptor = process.platform === "win32" ? undefined : openSync(folder, "r");
    this.folderIdentity = identify(statSync(folder, { bigint: true }));
    this.logIdentities = logs.map((path) => identify(statSync(path, { bigint: true })));
  }

  /** What is lost, once two looks in a row found it so: who moves it back at once meant no harm. Cheap: for before every step. */
  async missing(): Promise<Loss | undefined> {
    if (performance.now() - this.looked < EVERY) return undefined;
    this.looked = performance.now();
    const found = await this.look();
    const confirmed = found !== undefined && this.missed;
    this.missed = found !== undefined;
    return confirmed ? found : undefined;
  }

  /** As of now. */
  async look(): Promise<Loss | undefined> {
    const folder = await identityOf(this.folder);
    if (folder === undefined) return { how: "it was deleted or moved", isOwn: false };
    if (folder !== "?" && folder !== this.folderIdentity) return { how: "another folder is in its place", isOwn: false };
    for (const [i, path] of this.logs.entries()) {
      const log = await identityOf(path);
      if (log !== "?" && log !== this.logIdentities[i]) {
        return { how: `its ${basename(path)} was ${log === undefined ? "deleted or moved" : "replaced"}`, isOwn: true };
      }
    }
    if ((await identityOf(join(this.folder, RUN_JSON))) === undefined) return { how: `its ${RUN_JSON} was deleted or moved`, isOwn: true };
    return undefined;
  }

  close(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
  }
}

/** Undefined when there is none; "?" when a disk does not answer, which is not to be gone. */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    return identify(await stat(path, { bigint: true }));
  } catch (error) {
    return ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "") ? undefined : "?";
  }
}

const identify = ({ dev, ino }: BigIntStats): string => `${dev} ${ino}`;
