// Packs the extension as a VSIX for this platform: `npm run package`. What goes in is what .vscodeignore leaves: the
// bundles, media/, the addon with the BLAS it needs, README, CHANGELOG, LICENSE and the notices of what is not ours.
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { bundledPackagesFile } from "../esbuild.mjs";
import { build } from "./build.mjs";
import { EVERY_GPU, neededLibraries } from "./build-native.mjs";
import { addonBinary, dist, findProgram, root } from "./places.mjs";
import { capture, entry, Failure, isProgram, step } from "./shell.mjs";

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
/** Bytes, with both backends. */
const LARGEST_PACKAGE = 12.5e6;
const vsce = join(root, "node_modules", "@vscode", "vsce", "vsce");
const target = `${process.platform}-${process.arch}`;

/** The licence text of one npm package that was bundled. */
function npmNotice(name) {
  const folder = join(root, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  const text = file ? readFileSync(join(folder, file), "utf8").trim() : `Licence: ${license} (the package carries no text of it).`;
  return `${name} ${version} (${license})\n\n${text}`;
}

/** The copyright file of the Debian package that a shared library came from. */
async function libraryNotice(name, file) {
  const dpkg = findProgram("dpkg-query");
  for (const candidate of dpkg ? [file, realpathSync(file)] : []) {
    const { code, output } = await capture(dpkg, ["-S", candidate], { allowFailure: true });
    const text = code === 0 && `/usr/share/doc/${output.split(":")[0]}/copyright`;
    if (text && existsSync(text)) return `${name}\n\n${readFileSync(text, "utf8").trim()}`;
  }
  throw new Failure(
    `${name} (${file}) goes into the package, and the text of its licence was not found. ` +
      "Package on Debian or Ubuntu, where each library's package carries it.",
  );
}

async function writeNotices() {
  const packages = JSON.parse(readFileSync(bundledPackagesFile, "utf8"));
  const parts = packages.map(npmNotice);
  // Each library's origin: what ldd resolves without the copies in dist/.
  for (const [name, file] of await neededLibraries(join(root, "build", "native", "muonscope.node")))
    parts.push(await libraryNotice(name, file));
  for (const file of readFileSync(join(root, "build", "native", "static-libraries.txt"), "utf8")
    .split("\n")
    .filter(Boolean))
    parts.push(await libraryNotice(basename(file), file));
  const head = `Muonscope ${manifest.version} contains the following software of others.`;
  writeFileSync(join(dist, "THIRD-PARTY-NOTICES.txt"), [head, ...parts].join(`\n\n${"=".repeat(80)}\n\n`) + "\n");
}

/** Packs the extension in a folder. As a program of its own: as a function it prints every file. */
export const pack = (folder, file, options) =>
  capture(process.execPath, [vsce, "package", "--out", file, "--no-dependencies", "--allow-missing-repository", ...options], {
    cwd: folder,
  });

/** Packs what is built into `file`. */
export async function packVsix(file) {
  if (!existsSync(addonBinary)) throw new Failure(`${addonBinary} is not there: run \`npm run build\` first.`);
  await writeNotices();
  mkdirSync(dirname(file), { recursive: true });
  await pack(root, file, ["--target", target, "--no-rewrite-relative-links"]);
  const { size } = statSync(file);
  if (size > LARGEST_PACKAGE)
    throw new Failure(`The package should have at most ${LARGEST_PACKAGE / 1e6} MB, but has ${(size / 1e6).toFixed(1)} MB.`);
}

let packed;
/** The package that the host and ui suites install: made once a test run. */
export const testVsix = () =>
  (packed ??= step("Packaging the extension", async () => {
    const file = join(root, "build", "test", "muonscope.vsix");
    await packVsix(file);
    return file;
  }));

if (isProgram(import.meta.url))
  await entry(async () => {
    await build({ cuda: true, gpus: EVERY_GPU });
    const file = join(root, `${manifest.name}-${target}-${manifest.version}.vsix`);
    await step("Packaging", () => packVsix(file));
    console.log(`${basename(file)}: ${(statSync(file).size / 1e6).toFixed(1)} MB`);
  });
