/** Everything that a training loop works on, opened for a new run or for one that goes on. */
import { randomUUID } from "node:crypto";
import { cpus, hostname } from "node:os";
import { version } from "../../package.json";
import type { BackendReport, EngineDescription, Knob, KnobValues } from "../protocol/description";
import { gpusOf, type RunSpec } from "../protocol/runFile";
import { RUN_JSON, type RunEvent, type RunJson } from "../protocol/runFolder";
import { refuseForeign } from "../runs/ownFiles";
import { RunReader } from "../runs/runFolder";
import type { Addon, Engine } from "./addon";
import { TrainingBatches } from "./batches";
import { findCheckpoint } from "./checkpoints";
import { claim, type Start } from "./claim";
import { answered } from "./control";
import { openData, type Data } from "./data";
import type { LogWriter } from "./logWriter";
import type { Presence } from "./presence";
import { Steering } from "./steering";
import { UserError } from "../runs/userError";

export interface Session {
  folder: string;
  run: RunJson;
  spec: RunSpec;
  description: EngineDescription;
  engine: Engine;
  /** The GPUs that it runs on, as the list of devices names them, the model's first; empty on the CPU. */
  devices: string[];
  data: Data;
  batches: TrainingBatches;
  log: LogWriter;
  presence: Presence;
  steering: Steering;
  /** Checkpoints that were found damaged, relative to the folder. */
  damaged: Set<string>;
  /** Steps made so far. */
  step: number;
  say: (text: string) => void;
  close(): Promise<void>;
}

/** `makeFolder` is called once everything that can be wrong with the spec was found right. */
export async function openNew(
  addon: Addon,
  spec: RunSpec,
  runFile: string | null,
  makeFolder: () => Promise<string>,
  say: (text: string) => void,
): Promise<Session> {
  const description = addon.describe();
  const backend = chooseBackend(addon, spec.backend);
  const devices = chooseDevices(backend, spec);
  const data = await openData(spec);
  const engine = await createEngine(addon, spec, backend, paddedVocabulary(data));
  const folder = await makeFolder();
  const run: RunJson = {
    format: 1,
    id: randomUUID(),
    name: spec.name,
    created: new Date().toISOString(),
    versions: { muonscope: version, node: process.version, engine: addon.version },
    machine: { host: hostname(), platform: `${process.platform}-${process.arch}`, cpu: cpus()[0]?.model ?? "unknown" },
    backend: { id: engine.backend.id, detail: engine.backend.detail, ...(devices.length > 0 && { device: devices.join(" + ") }) },
    memory: engine.memory,
    spec,
    runFile,
    parameters: engine.parameters(),
    data: counts(data),
    knobs: liveKnobs(description.knobs, spec.optimizer),
    auxiliaryKnobs: liveKnobs(description.auxiliaryKnobs, spec.auxiliary),
    diagnostics: description.diagnostics,
    parent: null,
  };
  return open({ folder, run, description, engine, devices, data, step: 0, position: 0, from: null, resumedFrom: null, damaged: [], say });
}

/** Goes on from the newest whole checkpoint; from the first step when there is none. */
export async function openResumed(addon: Addon, folder: string, say: (text: string) => void): Promise<Session> {
  await refuseForeign(folder);
  const reader = new RunReader(folder);
  await reader.poll();
  const run = reader.run;
  if (!run) throw new UserError(`${folder}: expected a run that Muonscope began, there is no readable ${RUN_JSON}.`);
  const { spec } = run;
  const found = await findCheckpoint(folder);
  const step = found.content?.step ?? 0;
  if (step >= spec.steps)
    throw new UserError(`${folder}: the run is finished (step ${step} of ${spec.steps}); there is nothing to go on with.`);

  const backend = chooseBackend(addon, run.backend.id);
  const devices = chooseDevices(backend, spec);
  const data = await openData(spec);
  const vocabulary = run.parameters.find(({ name }) => name === EMBEDDING)?.rows ?? paddedVocabulary(data);
  const engine = await createEngine(addon, spec, backend, vocabulary);
  const description = addon.describe();
  if (found.content) {
    await engine.load(step, found.content.tensors);
    for (const { name, group } of engine.parameters()) {
      const knobs = group === "matrix" ? description.knobs : description.auxiliaryKnobs;
      const live = Object.entries(found.content.knobs[name] ?? {}).filter(([id]) => knobs.some((knob) => knob.id === id && knob.live));
      engine.set(group, Object.fromEntries(live), name);
    }
  }
  const session = await open({
    folder,
    run,
    description,
    engine,
    devices,
    data,
    step,
    say,
    position: found.content?.position ?? 0,
    from: found.content ? step + 1 : 0,
    resumedFrom: found.content ? found.file : null,
    damaged: found.damaged.map(({ file }) => file),
  });
  session.steering.lrFactor = found.content?.lrFactor ?? 1;
  for (const message of [
    ...found.damaged.map(({ message }) => message),
    ...changedData(run, data),
    ...lostOrders(reader.events, found.file, step),
  ]) {
    session.log.event({ type: "alert", step, severity: "warning", message });
    say(message);
  }
  await session.steering.takeOver(step, answered(reader.events));
  return session;
}

interface Parts extends Start {
  folder: string;
  run: RunJson;
  description: EngineDescription;
  engine: Engine;
  devices: string[];
  data: Data;
  position: number;
  damaged: readonly string[];
  say: (text: string) => void;
}

async function open(parts: Parts): Promise<Session> {
  const { folder, run, description, engine, devices, data, step, say } = parts;
  const { log, control, presence, close } = await claim(folder, run, parts);
  const steered = { description, parameters: engine.parameters(), values: (name: string): KnobValues => engine.values(name) };
  for (const message of data.notices) log.event({ type: "alert", step, severity: "warning", message });
  return {
    folder,
    run,
    spec: run.spec,
    description,
    engine,
    devices,
    data,
    log,
    presence,
    step,
    say,
    damaged: new Set(parts.damaged),
    batches: new TrainingBatches(data.train, run.spec, parts.position),
    steering: new Steering(control, engine, steered, log, say),
    close: async () => {
      await close();
      engine.dispose();
    },
  };
}

/** `auto`: the last of the engine's list, which goes from the plainest to the fastest, that is there. */
function chooseBackend(addon: Addon, asked: string): BackendReport {
  const reports = addon.backends();
  const there = reports.filter((report) => report.available);
  if (asked === "auto") {
    const best = there.at(-1);
    if (!best) throw new UserError(`No backend works here: ${reports.map(({ id, detail }) => `${id}: ${detail}`).join("; ")}`);
    return best;
  }
  const found = reports.find((report) => report.id === asked);
  if (found?.available) return found;
  // What a backend says of its absence has its own remedy, and its own lines.
  throw new UserError(
    `backend: expected one that is there (${there.map(({ id }) => id).join(", ")}) or "auto", received "${asked}":\n` +
      `${found ? found.detail : "This build does not have it."}`,
  );
}

/** The engine refuses it, too; here it is refused before the data is read. */
function chooseDevices({ id, devices }: BackendReport, spec: RunSpec): string[] {
  const asked = gpusOf(spec);
  if (devices.length === 0) {
    if (asked.length === 1) return [];
    throw new UserError(`device: expected one on the backend "${id}", received ${asked.join(", ")}: several devices need backend "cuda"`);
  }
  const missing = asked.filter((index) => index >= devices.length);
  if (missing.length === 0) return asked.map((index) => devices[index]!);
  const list = devices.map((name, index) => `  ${index}: ${name}`).join("\n");
  throw new UserError(`device: expected one that is there, received ${missing.join(", ")}:\n${list}`);
}

/**
 * Rows of the embedding and the head: those of the data's vocabulary and some that no token uses, up to a multiple of 128, so that rows
 * of logits are aligned in memory: GPT-2's 50,257 are 50,304 then, as in karpathy/nanoGPT and KellerJordan/modded-nanogpt.
 */
const paddedVocabulary = ({ vocabulary }: Data): number => Math.ceil(vocabulary / 128) * 128;

/** The parameter whose rows tell with which vocabulary a run began. */
const EMBEDDING = "embed";

/** A refusal by the engine (memory, precision, device) is one of the run, and its message says what to do. */
async function createEngine(addon: Addon, spec: RunSpec, backend: BackendReport, vocabulary: number): Promise<Engine> {
  try {
    return await addon.createEngine({
      backend: backend.id,
      threads: spec.threads,
      devices: backend.devices.length > 0 ? gpusOf(spec) : [0],
      precision: spec.precision,
      seed: spec.seed,
      model: { vocabulary, ...spec.model },
      batch: spec.batch.size,
      preset: spec.preset,
      optimizer: spec.optimizer,
      auxiliary: spec.auxiliary,
      ranks: spec.sharding.ranks,
    });
  } catch (error) {
    throw new UserError((error as Error).message, { cause: error });
  }
}

const liveKnobs = (knobs: Knob[], values: KnobValues): Knob[] => knobs.filter((knob) => knob.live && knob.id in values);

const counts = (data: Data): RunJson["data"] => ({
  trainTokens: data.train.length,
  validationTokens: data.validation?.length ?? 0,
  files: data.files,
  vocabulary: data.vocabulary,
});

function changedData(run: RunJson, data: Data): string[] {
  const [was, is] = [JSON.stringify(run.data), JSON.stringify(counts(data))];
  return was === is
    ? []
    : [`The data has changed since the run began: it was ${was} and is ${is}. The run goes on with what is there now.`];
}

/** Settings that were changed after the checkpoint do not hold any more; said, not guessed at. */
function lostOrders(events: readonly RunEvent[], file: string, step: number): string[] {
  const saved = events.findLastIndex((event) => event.type === "checkpoint" && event.file === file);
  const lost = events.slice(saved + 1).flatMap((event) => (event.type === "applied" && event.set ? [event] : []));
  if (lost.length === 0) return [];
  const list = lost.map((event) => `${JSON.stringify(event.set)} at step ${event.step}`).join(", ");
  return [`The run goes on from step ${step}; what was changed after its checkpoint does not hold: ${list}. Order it again if it is to.`];
}
