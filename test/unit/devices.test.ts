/** Which devices there are, how one is chosen, and where NVIDIA's libraries are looked for: on trainers and folders made up here. */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { BackendReport } from "../../extension/protocol/description";
import { pythonCudaLibraries } from "../../extension/runs/cudaLibraries";
import { choicesFor, devicesOf, findBackends } from "../../extension/runs/devices";
import { environmentOf } from "../../extension/runs/trainerProgram";
import type { EngineConfig } from "../../extension/trainer/addon";
import { memoryLine } from "../../extension/trainer/memory";
import { temporaryFolder } from "./folders";
import { begin, resume } from "./runs";

const cpu: BackendReport = { id: "cpu", available: true, detail: "OpenBLAS, 2 threads", devices: [] };
const cuda = (...devices: string[]): BackendReport => ({ id: "cuda", available: true, detail: "CUDA 13.0", devices });
const none: BackendReport = { id: "cuda", available: false, detail: "No driver was found.\nInstall one.", devices: [] };
const two = [cpu, cuda("A, 80 GiB", "B, 80 GiB")];

describe("the backends of a machine", { timeout: 60_000 }, () => {
  function trainer(t: TestContext, lines: string): string {
    const file = join(temporaryFolder(t), "trainer.js");
    writeFileSync(file, lines);
    return file;
  }

  it("are what the trainer's program says, which is told where the libraries are", async (t) => {
    const lines = `const { argv, env } = process;
      console.log(JSON.stringify([{ id: argv.slice(2).join(" "), detail: env.MUONSCOPE_CUDA_LIBRARIES, devices: [env.ELECTRON_RUN_AS_NODE] }]));`;
    const found = await findBackends({ trainerScript: trainer(t, lines), cudaLibraries: ["/a", "/b c"] });
    assert.deepEqual(found, [{ id: "--backends", detail: "/a:/b c", devices: ["1"] }]);
  });
  it("cannot be told when it fails: its own words are passed on", async (t) => {
    const script = trainer(t, 'console.error("The engine does not load.\\nBuild it."); process.exit(1)');
    await assert.rejects(findBackends({ trainerScript: script }), {
      message: "The trainer could not say which backends there are: The engine does not load.\nBuild it.",
    });
    await assert.rejects(
      findBackends({ trainerScript: script, nodePath: "/no/node" }),
      /which backends there are: spawn \/no\/node ENOENT/,
    );
  });
  it("cannot be told when its answer is none", async (t) => {
    await assert.rejects(
      findBackends({ trainerScript: trainer(t, 'console.log("hello")') }),
      /listed its backends as JSON, and said "hello\\n"/,
    );
  });
});

describe("the device of a run", () => {
  const labels = (...args: Parameters<typeof choicesFor>): string[] => choicesFor(...args).map(({ name }) => name);
  const one = { ranks: 1 };
  const auto = { backend: "auto", device: 0, sharding: one };

  it("is not asked for with one GPU, with none, or on the CPU", () => {
    assert.deepEqual(labels(auto, [cpu, none]), []);
    assert.deepEqual(labels(auto, [cpu, cuda("A, 80 GiB")]), []);
    assert.deepEqual(labels({ backend: "cuda", device: 0, sharding: one }, [cpu, none]), []);
    assert.deepEqual(labels({ backend: "cpu", device: 0, sharding: { ranks: 2 } }, two), []);
  });
  it("is one of several GPUs, or the CPU where the run takes any backend", () => {
    assert.deepEqual(labels(auto, two), ["A, 80 GiB", "B, 80 GiB", "OpenBLAS, 2 threads"]);
    assert.deepEqual(labels({ backend: "cuda", device: 0, sharding: one }, two), ["A, 80 GiB", "B, 80 GiB"]);
  });
  it("is first the one chosen last, then the one that the run file names", () => {
    assert.deepEqual(labels({ backend: "auto", device: 1, sharding: one }, two), ["B, 80 GiB", "A, 80 GiB", "OpenBLAS, 2 threads"]);
    assert.deepEqual(labels(auto, two, { backend: "cpu" }), ["OpenBLAS, 2 threads", "A, 80 GiB", "B, 80 GiB"]);
    assert.deepEqual(labels(auto, two, { backend: "cuda", device: 1 }), ["B, 80 GiB", "A, 80 GiB", "OpenBLAS, 2 threads"]);
    assert.deepEqual(labels(auto, two, { backend: "cuda", device: 7 }), ["A, 80 GiB", "B, 80 GiB", "OpenBLAS, 2 threads"]);
  });
  it("is none of a backend that is not there", () => {
    assert.deepEqual(devicesOf([cpu, none]), [{ backend: "cpu", label: "CPU", name: "OpenBLAS, 2 threads" }]);
  });

  const four = [cpu, cuda("A, 80 GiB", "B, 80 GiB", "C, 80 GiB", "D, 80 GiB")];
  const entries = (...args: Parameters<typeof choicesFor>): string[] => choicesFor(...args).map(({ label }) => label);
  it("is also all GPUs where there are as many ranks", () => {
    assert.deepEqual(
      choicesFor({ ...auto, sharding: { ranks: 3 } }, two).map(({ label, device }) => [label, device]),
      [
        ["GPU 0", 0],
        ["GPU 1", 1],
        ["All 2 GPUs", [0, 1]],
        ["CPU", undefined],
      ],
    );
    assert.deepEqual(choicesFor({ ...auto, sharding: { ranks: 3 } }, two)[2], {
      backend: "cuda",
      device: [0, 1],
      label: "All 2 GPUs",
      name: "A, 80 GiB + B, 80 GiB",
      detail: "The model trains on GPU 0; the optimizer's 3 ranks are dealt to both in turn",
    });
    assert.deepEqual(entries({ ...auto, sharding: { ranks: 3 } }, [cpu, cuda("A, 80 GiB")]), []);
    const broken = { ...none, id: "other", devices: ["X, 8 GiB", "Y, 8 GiB"] };
    assert.deepEqual(entries({ ...auto, sharding: { ranks: 3 } }, [...two, broken]), ["GPU 0", "GPU 1", "All 2 GPUs", "CPU"]);
  });
  it("is as many GPUs as there are ranks, else", () => {
    const choices = choicesFor({ backend: "cuda", device: 0, sharding: { ranks: 3 } }, four);
    assert.deepEqual(
      choices.map(({ label }) => label),
      ["GPU 0", "GPU 1", "GPU 2", "GPU 3", "GPUs 0, 1, 2"],
    );
    assert.deepEqual(choices[4]!.device, [0, 1, 2]);
    assert.equal(choices[4]!.detail, "The model trains on GPU 0; the optimizer's 3 ranks are dealt to all 3 in turn");
  });
  it("is first those that the run file names, where they are there, and those chosen last before them", () => {
    const asked = { backend: "auto", device: [2, 0], sharding: { ranks: 4 } };
    const rest = ["GPU 0", "GPU 1", "GPU 2", "GPU 3"];
    assert.deepEqual(entries(asked, four), ["GPUs 2, 0", ...rest, "All 4 GPUs", "CPU"]);
    assert.deepEqual(entries(asked, four, { backend: "cuda", device: [0, 1, 2, 3] }), ["All 4 GPUs", "GPUs 2, 0", ...rest, "CPU"]);
    assert.deepEqual(entries(asked, two), ["GPU 0", "GPU 1", "All 2 GPUs", "CPU"]);
    assert.deepEqual(entries({ ...asked, device: [0, 1, 2, 3] }, four), ["All 4 GPUs", ...rest, "CPU"]);
    assert.deepEqual(entries({ ...asked, device: [1], sharding: one }, two), ["GPU 1", "GPU 0", "CPU"]);
  });
});

describe("the devices of an engine", () => {
  it("are several where its spec says so, the model's first, and again when it goes on", async (t) => {
    const asked: number[][] = [];
    const backends = [{ id: "fake", available: true, detail: "a fake", devices: ["A, 80 GiB", "B, 80 GiB", "C, 40 GiB"] }];
    const hooks = { backends, onCreate: ({ devices }: EngineConfig) => void asked.push(devices) };
    const first = await begin(t, { steps: 3, device: [2, 0], sharding: { ranks: 2 } }, hooks);
    await first.done;
    const { run, devices } = first.session;
    assert.deepEqual([run.spec.device, run.backend.device, devices], [[2, 0], "C, 40 GiB + A, 80 GiB", ["C, 40 GiB", "A, 80 GiB"]]);
    writeFileSync(join(first.folder, "run.json"), JSON.stringify({ ...run, spec: { ...run.spec, steps: 4 } }));
    await (
      await resume(first.folder, hooks)
    ).done;
    assert.deepEqual(asked, [
      [2, 0],
      [2, 0],
    ]);
  });

  it("are none on a backend without any, whichever its spec names", async (t) => {
    const asked: number[][] = [];
    const { done, session } = await begin(t, { device: 7, steps: 3 }, { onCreate: ({ devices }) => void asked.push(devices) });
    await done;
    assert.deepEqual([asked, session.devices, "device" in session.run.backend], [[[0]], [], false]);
  });
});

describe("NVIDIA's libraries", () => {
  it("are found in an environment, by its folder and by its interpreter, newest layout first", async (t) => {
    const place = temporaryFolder(t);
    const environment = join(place, "my venv");
    const site = join(environment, "lib", "python3.12", "site-packages", "nvidia");
    const [cu13, cublas] = [join(site, "cu13", "lib"), join(site, "cublas", "lib")];
    for (const folder of [cu13, cublas, join(environment, "lib", "python2.7"), join(environment, "bin"), join(place, "bin")])
      mkdirSync(folder, { recursive: true });
    // As in a virtual environment: the interpreter is a link out of it.
    writeFileSync(join(place, "bin", "python3"), "");
    symlinkSync(join(place, "bin", "python3"), join(environment, "bin", "python"));
    assert.deepEqual(await pythonCudaLibraries(environment), [cu13, cublas]);
    assert.deepEqual(await pythonCudaLibraries(join(environment, "bin", "python")), [cu13, cublas]);
  });
  it("are nowhere in an environment without them, or that is gone", async (t) => {
    const place = temporaryFolder(t);
    mkdirSync(join(place, "lib", "python3.12", "site-packages"), { recursive: true });
    assert.deepEqual(await pythonCudaLibraries(place), []);
    assert.deepEqual(await pythonCudaLibraries(join(place, "lib")), []);
    assert.deepEqual(await pythonCudaLibraries(join(place, "gone", "bin", "python")), []);
  });
  it("are looked for in what the environment names, too, but later", (t) => {
    const before = process.env["MUONSCOPE_CUDA_LIBRARIES"];
    t.after(() => {
      if (before === undefined) delete process.env["MUONSCOPE_CUDA_LIBRARIES"];
      else process.env["MUONSCOPE_CUDA_LIBRARIES"] = before;
    });
    const variable = (cudaLibraries?: string[]) =>
      environmentOf({ trainerScript: "", ...(cudaLibraries && { cudaLibraries }) })["MUONSCOPE_CUDA_LIBRARIES"];
    delete process.env["MUONSCOPE_CUDA_LIBRARIES"];
    assert.deepEqual([variable(), variable([]), variable(["/a"])], [undefined, undefined, "/a"]);
    process.env["MUONSCOPE_CUDA_LIBRARIES"] = "/x:/y";
    assert.deepEqual([variable(), variable(["/a", "/b"])], ["/x:/y", "/a:/b:/x:/y"]);
  });
});

describe("what a run needs", () => {
  const gib = (x: number): number => x * 2 ** 30;
  it("is a line, in the unit that suits its sum", () => {
    const large = { weights: gib(0.5), gradients: gib(0.5), optimizer: gib(0.3), activations: gib(1), available: gib(139.2) };
    assert.equal(
      memoryLine(large, "NVIDIA H200, 139.8 GiB"),
      "Needs 2.3 GiB (weights 0.5, gradients 0.5, optimizer 0.3, activations 1.0); 139.2 GiB are free on NVIDIA H200.",
    );
    const small = { weights: 4.2e6, gradients: 4.2e6, optimizer: 5e6, activations: 50e6, available: gib(20) };
    assert.equal(
      memoryLine(small, undefined),
      "Needs 60.5 MiB (weights 4.0, gradients 4.0, optimizer 4.8, activations 47.7); 20.0 GiB are free on this machine.",
    );
  });
  it("is told of every device", () => {
    const others = [
      { device: 3, needed: gib(0.2), available: gib(79) },
      { device: 0, needed: 5 * 2 ** 20, available: gib(1) },
    ];
    const memory = { weights: gib(0.5), gradients: gib(0.5), optimizer: gib(0.3), activations: gib(1), available: gib(139.2), others };
    assert.equal(
      memoryLine(memory, "NVIDIA H200, 139.8 GiB"),
      "Needs 2.3 GiB (weights 0.5, gradients 0.5, optimizer 0.3, activations 1.0) + 204.8 MiB on GPU 3 + 5.0 MiB on GPU 0; " +
        "139.2 GiB are free on NVIDIA H200, 79.0 GiB on GPU 3, 1.0 GiB on GPU 0.",
    );
  });
});
