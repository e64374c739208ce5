// Installs what a checkout needs and does not have yet: `npm run setup`, and first of all in start, test and build.
// Needs nothing but Node. Says what it does; does nothing, quickly, when nothing is missing.
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cache, cudaEnvironment, findChromium, findNvcc, findProgram, python, root } from "./places.mjs";
import { capture, entry, Failure, isProgram, runStep } from "./shell.mjs";

const npm = process.platform === "win32" ? "npm.cmd" : "npm";

/** A server build of VS Code from npm. See CONTRIBUTING.md for why this one. */
const CODE_SERVER = "4.139.1";
/** The Node that this code-server demands. */
const CODE_SERVER_NODE = "24.21.0";
/** Every package of Python's with its version: those for comparisons, and NVIDIA's compiler. */
const PYTHON_PACKAGES = join(root, "scripts", "python-packages.txt");
const CUDA_PACKAGES = join(root, "scripts", "cuda-packages.txt");
const PIP_INSTALL = ["-m", "pip", "install", "--disable-pip-version-check", "--retries", "1"];
const servedFolder = join(cache, "served-vscode");
export const servedVscode = {
  node: join(servedFolder, "node_modules", "node", "bin", "node"),
  entry: join(servedFolder, "node_modules", "code-server", "out", "node", "entry.js"),
};

function checkNode() {
  if (Number(process.versions.node.split(".")[0]) < 20)
    throw new Failure(`Node 20 or newer is needed; this is Node ${process.versions.node}. Install a newer one and try again.`);
}

/** npm writes node_modules/.package-lock.json last: older than the lock means that the lock has changed since. */
async function nodeModules() {
  const installed = join(root, "node_modules", ".package-lock.json");
  const lock = join(root, "package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  await runStep("Installing npm dependencies", npm, ["ci", "--no-audit", "--no-fund"]);
}

/** True where the C++ compiler finds all of these headers. */
async function hasHeaders(...headers) {
  const compiler = findProgram(process.env.CXX || "c++", "g++", "clang++");
  if (!compiler) return false;
  const args = headers.flatMap((header) => ["-include", header]);
  const { code } = await capture(compiler, ["-E", "-x", "c++", ...args, "/dev/null"], { allowFailure: true });
  return code === 0;
}

/** What is missing of the system's packages for these parts, by Debian's names. */
async function missingPackages(parts) {
  const missing = [];
  if (parts.has("compiler")) {
    if (!findProgram("cmake")) missing.push("cmake");
    if (!findProgram(process.env.CXX || "c++", "g++", "clang++")) missing.push("g++");
    if (!findProgram("make", "ninja")) missing.push("make");
    // macOS has Accelerate, MKL sets MKLROOT, Fedora has a folder of its own; elsewhere the compiler finds the header of a BLAS.
    const blas =
      process.platform !== "linux" || process.env.MKLROOT || existsSync("/usr/include/openblas/cblas.h") || (await hasHeaders("cblas.h"));
    if (!blas) missing.push("libopenblas-dev");
  }
  // Chromium only recommends a font, and shows nothing without one.
  if (parts.has("browser") && !findChromium()) missing.push("chromium", "fonts-liberation");
  if (parts.has("vscode") && !servedVscodeIsInstalled() && process.platform === "linux") {
    if (!(await hasHeaders("gssapi/gssapi.h"))) missing.push("libkrb5-dev");
    if (!findProgram("python3")) missing.push("python3");
  }
  if (parts.has("python") && !existsSync(python)) {
    const python3 = findProgram("python3");
    if (!python3) missing.push("python3", "python3-venv");
    // Debian keeps what `venv` needs in a package of its own.
    else if ((await capture(python3, ["-c", "import ensurepip"], { allowFailure: true })).code !== 0) missing.push("python3-venv");
  }
  return missing;
}

async function systemPackages(parts) {
  const missing = await missingPackages(parts);
  if (missing.length === 0) return;
  const packages = missing.includes("g++") && !missing.includes("make") ? [...missing, "make"] : missing;
  const apt = findProgram("apt-get");
  const command = `apt-get update && apt-get install -y --no-install-recommends ${packages.join(" ")}`;
  if (!apt || process.getuid?.() !== 0)
    throw new Failure(
      `These programs or libraries are missing (Debian's package names): ${packages.join(", ")}.\n` +
        (apt
          ? `Install them with\n  sudo sh -c '${command}'\nand try again.`
          : "Install them with your system's package manager and try again."),
    );
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await runStep("Updating the package lists", apt, ["update"], { env });
  await runStep(`Installing ${packages.join(", ")}`, apt, ["install", "-y", "--no-install-recommends", ...packages], { env });
  const still = await missingPackages(parts);
  if (still.length > 0) throw new Failure(`Installed ${packages.join(", ")}, and still do not find what belongs to ${still.join(", ")}.`);
}

function servedVscodeIsInstalled() {
  const manifest = join(dirname(dirname(dirname(servedVscode.entry))), "package.json");
  // The remote workbench's own dependencies are compiled by the post-install: without them it does not start.
  const compiled = join(dirname(manifest), "lib", "vscode", "node_modules", "@vscode", "spdlog", "build", "Release", "spdlog.node");
  if (!existsSync(manifest) || !existsSync(compiled) || !existsSync(servedVscode.node)) return false;
  return JSON.parse(readFileSync(manifest, "utf8")).version === CODE_SERVER;
}

async function installServedVscode() {
  if (servedVscodeIsInstalled()) return;
  mkdirSync(servedFolder, { recursive: true });
  writeFileSync(join(servedFolder, "package.json"), JSON.stringify({ name: "served-vscode", private: true, version: "0.0.0" }));
  const options = ["--no-audit", "--no-fund", "--foreground-scripts"];
  await runStep(`Installing Node ${CODE_SERVER_NODE} for the served VS Code`, npm, ["install", ...options, `node@${CODE_SERVER_NODE}`], {
    cwd: servedFolder,
  });
  await runStep(
    "Installing a served VS Code (600 MB, compiled for some two minutes)",
    npm,
    ["install", ...options, `code-server@${CODE_SERVER}`],
    {
      cwd: servedFolder,
      // Its post-install must run under the Node that will run it, and reads that Node's version out of npm's user agent, which
      // an npm that called this script has already set to its own.
      env: { PATH: `${dirname(servedVscode.node)}:${process.env.PATH}`, npm_config_user_agent: undefined, JOBS: "max" },
    },
  );
  if (!servedVscodeIsInstalled())
    throw new Failure(
      `code-server ${CODE_SERVER} was installed in ${servedFolder}, but its native modules were not compiled: ` +
        "npm did not run its post-install script. Allow install scripts for this folder and run `npm run setup` again.",
    );
}

/** Why the Python companion is not there; undefined when it is. Never an error: it only serves comparisons. */
async function installPython() {
  const works = async () =>
    existsSync(python) &&
    (await capture(python, ["-c", "import numpy, safetensors, tensorboard, torch"], { allowFailure: true })).code === 0;
  const stamp = join(cache, "python", "complete");
  if (process.env.MUONSCOPE_PYTHON)
    return (await works()) ? undefined : `MUONSCOPE_PYTHON=${python} cannot import numpy, safetensors, tensorboard and torch`;
  // Importing torch takes seconds: done once, then remembered.
  if (existsSync(stamp) && existsSync(python)) return undefined;
  try {
    if (!(await works())) {
      await systemPackages(new Set(["python"]));
      await runStep("Creating a Python environment", findProgram("python3"), ["-m", "venv", join(cache, "python")]);
      await runStep("Installing PyTorch for the CPU, numpy, safetensors, tensorboard", python, [...PIP_INSTALL, "-r", PYTHON_PACKAGES]);
      if (!(await works())) return "the Python environment was made, but numpy, safetensors, tensorboard and torch cannot be imported";
    }
    writeFileSync(stamp, "");
    return undefined;
  } catch (error) {
    if (error instanceof Failure) return error.message.trim().split("\n").slice(-4).join(" ");
    throw error;
  }
}

/**
 * Why NVIDIA's compiler is not there; undefined when it is. Without a CUDA toolkit it comes from the wheels that NVIDIA publishes:
 * compiler, its back end, the run time's headers and static library.
 */
export async function installNvcc() {
  if (process.platform !== "linux" || process.arch !== "x64") return "the CUDA backend is for Linux on x86-64";
  if (findNvcc()) return undefined;
  const python3 = findProgram("python3");
  if (!python3) return "there is no nvcc, and no python3 to install it with";
  try {
    await runStep("Creating an environment for NVIDIA's compiler", python3, ["-m", "venv", cudaEnvironment]);
    await runStep("Installing NVIDIA's compiler", join(cudaEnvironment, "bin", "python"), [...PIP_INSTALL, "-r", CUDA_PACKAGES]);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    rmSync(cudaEnvironment, { recursive: true, force: true });
    return `there is no nvcc, and pip could not install it: ${error.message.trim().split("\n").at(-4) ?? ""}`;
  }
  return findNvcc() ? undefined : `NVIDIA's wheels were installed into ${cudaEnvironment}, but there is no nvcc in them`;
}

export const PARTS = ["compiler", "cuda", "browser", "vscode", "python"];

/** What everything else needs: npm's packages and the system's, those of `parts` among them. */
export async function setup(parts) {
  checkNode();
  // Python's packages are its own affair: without them its suite is skipped, and nothing else fails.
  await Promise.all([nodeModules(), systemPackages(new Set([...parts].filter((part) => part !== "python")))]);
}

/**
 * Begins, after `setup`, to install what takes minutes, one promise for each part: `vscode`; `cuda` and `python`, which resolve to why they
 * are not there, undefined when they are. What is not among `parts` resolves to undefined.
 */
export function install(parts) {
  const wanted = new Set(parts);
  const installing = {
    vscode: wanted.has("vscode") ? installServedVscode() : Promise.resolve(),
    cuda: wanted.has("cuda") ? installNvcc() : Promise.resolve(),
    python: wanted.has("python") ? installPython() : Promise.resolve(),
  };
  // Whoever needs it is told, and nobody else.
  for (const each of Object.values(installing)) each.catch(() => undefined);
  return installing;
}

if (isProgram(import.meta.url))
  await entry(async () => {
    await setup(PARTS);
    const { vscode, cuda, python } = install(PARTS);
    await vscode;
    const [noNvcc, noPython] = [await cuda, await python];
    if (noNvcc) console.log(`Not there: NVIDIA's compiler: ${noNvcc}`);
    if (noPython) console.log(`Not there: Python's packages: ${noPython}`);
    if (!noNvcc && !noPython) console.log("Everything is there.");
  });
