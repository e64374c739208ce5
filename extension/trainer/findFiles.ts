/**
 * Files that globs match, each once. Links to folders are not descended into, for a few that lead upwards have a walk that never ends;
 * links to files are. What is left out for that, or cannot be read, is said.
 */
import { readdir, realpathSync, stat, statSync, type Dirent } from "node:fs";
import { stat as statOf } from "node:fs/promises";
import { sep } from "node:path";
import glob from "fast-glob";
import { UserError } from "../runs/userError";

export interface Found {
  /** Sorted by path, so that the same files make the same data everywhere. */
  files: { path: string; real: string }[];
  /** Sentences. */
  notices: string[];
}

/** Files and folders that are looked at: more than anyone trains on, fewer than a file system has. */
const MOST = 2_000_000;
/** Named in a notice. */
const SHOWN = 3;

type Callback = (error: NodeJS.ErrnoException | null, entries: Dirent[]) => void;

/** `patterns`: absolute. `setting`: where they stand in the run file. Rejects when there is more than anyone can have meant. */
export async function findFiles(setting: string, patterns: string[], ignore: string[], most = MOST): Promise<Found> {
  const walks = patterns.map(() => new Walk(most));
  const paths = new Set<string>();
  for (const [i, pattern] of patterns.entries()) {
    const walk = walks[i]!;
    // fast-glob asks with file types wherever there are any; a link that is named is what it leads to.
    const fs = { readdir: walk.readdir as glob.FileSystemAdapter["readdir"], lstat: stat };
    const options = { ignore, absolute: true, onlyFiles: true, followSymbolicLinks: false, suppressErrors: true };
    for (const path of await glob(pattern, { ...options, fs })) paths.add(path);
    if (walk.looked > most) {
      throw new UserError(
        `${setting}: ${pattern} has more than ${most.toLocaleString("en")} files and folders looked at. ` +
          `Name a folder further down, or leave some out with data.exclude.`,
      );
    }
  }
  const files = new Map<string, string>();
  const dead: string[] = [];
  for (const path of [...paths].sort()) {
    const real = fileBehind(path);
    if (real === undefined) dead.push(path);
    else if (!files.has(real)) files.set(real, path);
  }
  const named = new Set(walks.map(({ root }) => root));
  const folders = [...new Set(walks.flatMap(({ skipped }) => skipped))].filter((path) => !named.has(path) && !leadsUp(path));
  const notices = [
    ...notice(folders, `Links to folders are not followed: what is behind them was left out. Name them in ${setting} if it is meant`),
    ...notice(dead, "Links that lead to no file were left out"),
    ...notice([...new Set(walks.flatMap(({ unreadable }) => unreadable))], "Folders that cannot be read were left out"),
  ];
  return { files: [...files].map(([real, path]) => ({ path, real })), notices };
}

/** What one glob looks at. */
class Walk {
  /** The folder that it begins at, which may be a link: its user named it. */
  root: string | undefined;
  looked = 0;
  /** Links to folders that would have been descended into. */
  readonly skipped: string[] = [];
  readonly unreadable: string[] = [];
  private readonly links = new Set<string>();

  constructor(private readonly most: number) {}

  /** In the place of Node's: links are shown as what they lead to, but a folder behind one is empty. */
  readonly readdir = (folder: string, _options: unknown, done: Callback): void => {
    this.root ??= folder;
    if (this.links.has(folder)) {
      this.skipped.push(folder);
      return done(null, []);
    }
    if (this.looked > this.most) return done(null, []);
    readdir(folder, { withFileTypes: true }, (error, entries) => {
      if (error) {
        if (error.code !== "ENOENT") this.unreadable.push(folder);
        return done(error, []);
      }
      this.looked += entries.length;
      const shown = entries.map(async (entry) => (entry.isSymbolicLink() ? this.resolved(folder, entry) : entry));
      void Promise.all(shown).then((all) => done(null, all));
    });
  };

  private async resolved(folder: string, entry: Dirent): Promise<Dirent> {
    const path = `${folder.replace(/\/$/, "")}/${entry.name}`;
    const isFolder = await statOf(path).then(
      (stats) => stats.isDirectory(),
      () => false, // leads nowhere, which matters only when it matches: seen then
    );
    if (isFolder) this.links.add(path);
    const is = (value: boolean): PropertyDescriptor => ({ value: () => value });
    return Object.create(entry, { isFile: is(!isFolder), isDirectory: is(isFolder), isSymbolicLink: is(false) }) as Dirent;
  }
}

/** Undefined when there is none. */
function fileBehind(path: string): string | undefined {
  try {
    const real = realpathSync.native(path);
    return statSync(real).isFile() ? real : undefined;
  } catch {
    return undefined; // named in a notice
  }
}

/** What is behind it is where the link is, and looked at from there. */
function leadsUp(link: string): boolean {
  const target = realpathSync.native(link);
  const above = realpathSync.native(link.slice(0, link.lastIndexOf("/")) || "/");
  return `${above}${sep}`.startsWith(`${target.replace(/[\\/]$/, "")}${sep}`);
}

function notice(paths: readonly string[], what: string): string[] {
  if (paths.length === 0) return [];
  const more = paths.length > SHOWN ? ` and ${paths.length - SHOWN} more` : "";
  return [`${what}: ${paths.slice(0, SHOWN).join(", ")}${more}.`];
}
