/** Files and folders that a power cut does not take back. */
import { open, readdir, rename, rm, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";

/**
 * Written aside, synced and renamed, so that a file under its own name is complete. Rejects, leaving nothing behind and the old file
 * as it was.
 */
export async function replaceFile(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const aside = `${path}.${process.pid}.part`;
  await rm(aside, { force: true }); // of an earlier process of this number
  try {
    await writeSynced(aside, parts);
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined); // then it goes when the run is opened again
    throw error;
  }
  await syncFolder(dirname(path));
}

async function writeSynced(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, "wx"); // not through a link
  try {
    for (const part of parts) {
      for (let at = 0; at < part.length;) {
        at += (await file.write(part, at, Math.min(part.length - at, 2 ** 30))).bytesWritten;
      }
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** So that new names in it survive a power cut, too. Windows has no such thing, nor have some file systems of a network (fsync(2): EINVAL). */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } catch (error) {
    if (!["EINVAL", "ENOTSUP"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  } finally {
    await folder.close();
  }
}

/** Removes what `replaceFile` left in a folder when its process was killed; `names`: of the files that it was to make. */
export async function removeAsides(folder: string, names: RegExp): Promise<void> {
  for (const name of await readdir(folder)) {
    // Versions before 0.4 put no process id into the name of one.
    const [aside, of] = /^(.+?)(?:\.\d+)?\.part$/.exec(name) ?? [];
    if (aside !== undefined && names.test(of!)) await unlink(join(folder, name));
  }
}
