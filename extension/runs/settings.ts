/**
 * The run file's settings as data, knobs of the engine aside: validation, defaults, the JSON schema and its help texts
 * are all made from this one table.
 */

interface Common {
  /** As in the run file: "model.layers". */
  path: string;
  meaning: string;
}

export type Setting = Common &
  (
    | { type: "integer" | "number"; default: number; minimum: number; maximum: number }
    /** One, or several different ones. */
    | { type: "integers"; default: number; minimum: number; maximum: number }
    | { type: "boolean"; default: boolean }
    | { type: "enum"; default: string; choices: readonly string[] }
    /** Without a default: the run file's name. */
    | { type: "text"; default: string | undefined }
    /** Without a default: required. */
    | { type: "globs"; default: string[] | undefined }
  );

// Defaults of model, batch, steps, schedule and clip: the smallest recipe in which the optimizers differ visibly,
// minutes on two cores (examples/sources-normuon.muonscope.json is it). Limits only keep out what cannot have been meant.
// A new setting's default is what was done before there was one: runs that older versions recorded are completed with it.
export const SETTINGS: readonly Setting[] = [
  { path: "name", type: "text", default: undefined, meaning: "What the run is called. Without it, the run file's name." },
  {
    path: "backend",
    type: "enum",
    default: "auto",
    choices: ["auto", "cpu", "cuda"],
    meaning: "Where the mathematics runs. `auto` takes the best there is and says which.",
  },
  {
    path: "device",
    type: "integers",
    default: 0,
    minimum: 0,
    maximum: 1023,
    meaning:
      "Which GPU, counted as CUDA counts them; or several, [0, 1]: the model trains on the first, and the optimizer's ranks are dealt to them in turn. Of no meaning on the CPU.",
  },
  {
    path: "precision",
    type: "enum",
    default: "auto",
    choices: ["auto", "fp32", "tf32", "bf16"],
    meaning:
      "Of matrix products. `auto`: bf16 on a GPU, fp32 on the CPU, which has no other. Weights, optimizer state and statistics are fp32 always.",
  },
  { path: "threads", type: "integer", default: 0, minimum: 0, maximum: 1024, meaning: "CPU threads; 0 = one per physical core." },
  {
    path: "seed",
    type: "integer",
    default: 1,
    minimum: 0,
    maximum: 0x7fffffff,
    meaning: "Of the initial weights and of the order of the data.",
  },

  { path: "model.layers", type: "integer", default: 4, minimum: 1, maximum: 1000, meaning: "Transformer blocks." },
  {
    path: "model.width",
    type: "integer",
    default: 128,
    minimum: 2,
    maximum: 65536,
    meaning: "Size of a token's vector; a multiple of twice the heads.",
  },
  { path: "model.heads", type: "integer", default: 4, minimum: 1, maximum: 1024, meaning: "Attention heads of a block." },
  { path: "model.context", type: "integer", default: 128, minimum: 1, maximum: 1 << 20, meaning: "Tokens of a sequence." },
  {
    path: "model.zeroProjections",
    type: "boolean",
    default: true,
    meaning: "Attention's and the MLP's output projections and the head start at zero, as in modded-nanogpt.",
  },
  {
    path: "model.recompute",
    type: "boolean",
    default: false,
    meaning: "Compute a block's activations again in the backward pass instead of keeping them: less memory for more time.",
  },

  {
    path: "data.files",
    type: "globs",
    default: undefined,
    meaning: "Text files or `.bin` token shards, as globs relative to the run file.",
  },
  { path: "data.exclude", type: "globs", default: [], meaning: "Globs of files to leave out again." },
  { path: "data.validationFiles", type: "globs", default: [], meaning: "Globs of files held out for validation." },
  {
    path: "data.validationFraction",
    type: "number",
    default: 0.1,
    minimum: 0,
    maximum: 0.9,
    meaning: "Without validation files: how much of the end of the data is held out. 0 = no validation.",
  },
  {
    path: "data.tokenizer",
    type: "enum",
    default: "bytes",
    choices: ["bytes", "gpt2"],
    meaning: "How text becomes tokens: 256 bytes, or GPT-2's 50,257 byte pairs. Shards are tokens already.",
  },

  { path: "batch.size", type: "integer", default: 16, minimum: 1, maximum: 65536, meaning: "Sequences of a micro-batch." },
  { path: "batch.accumulation", type: "integer", default: 1, minimum: 1, maximum: 65536, meaning: "Micro-batches of a step." },
  { path: "steps", type: "integer", default: 1000, minimum: 1, maximum: 1e9, meaning: "Optimizer steps." },
  {
    path: "schedule.warmup",
    type: "integer",
    default: 50,
    minimum: 0,
    maximum: 1e9,
    meaning: "Steps over which the learning rate rises linearly to its value.",
  },
  {
    path: "schedule.cooldown",
    type: "number",
    default: 0.4,
    minimum: 0,
    maximum: 1,
    meaning: "Fraction of all steps, at the end, over which the learning rate falls to zero.",
  },
  {
    path: "schedule.shape",
    type: "enum",
    default: "linear",
    choices: ["constant", "linear", "cosine"],
    meaning: "How the learning rate falls. `constant`: not at all.",
  },
  {
    path: "optimizer.clip",
    type: "number",
    default: 0,
    minimum: 0,
    maximum: 1e9,
    meaning: "Largest norm of the whole gradient; a longer one is scaled down to it. 0 = no limit.",
  },
  {
    path: "sharding.ranks",
    type: "integer",
    default: 1,
    minimum: 1,
    maximum: 4096,
    meaning: "Ranks over which the optimizer's step is divided: logical ones on one device, or dealt to several.",
  },
  {
    path: "validation.every",
    type: "integer",
    default: 100,
    minimum: 1,
    maximum: 1e9,
    meaning: "Steps between validations. There is one before the first step and after the last, too.",
  },
  {
    path: "validation.batches",
    type: "integer",
    default: 16,
    minimum: 1,
    maximum: 1e6,
    meaning: "Micro-batches of a validation, spread evenly over the held-out data, the same ones every time. More than there are: all.",
  },
  {
    path: "checkpoints.every",
    type: "integer",
    default: 250,
    minimum: 0,
    maximum: 1e9,
    meaning: "Steps between checkpoints. 0 = only when asked for, when stopped and at the end.",
  },
  {
    path: "checkpoints.keep",
    type: "integer",
    default: 3,
    minimum: 1,
    maximum: 1e6,
    meaning: "How many of the latest checkpoints are kept.",
  },
  {
    path: "diagnostics.budget",
    type: "number",
    default: 0.02,
    minimum: 0,
    maximum: 1,
    meaning: "Fraction of the time of the steps that measuring may take. 0 = measure only when asked to.",
  },
];

/** Help for the sections. */
export const SECTIONS: Record<string, string> = {
  model: "A GPT as modded-nanogpt trains it.",
  data: "What is trained on.",
  batch: "How much data a step sees.",
  schedule: "The learning rate over time (warm-up, stable, decay).",
  optimizer: "Of the weight matrices. A preset, and whatever is to differ from it.",
  auxiliary: "AdamW of the embedding and the head.",
  sharding: "How the optimizer's step is divided.",
  validation: "When and on how much the validation loss is computed.",
  checkpoints: "When the run is saved and how much is kept.",
  diagnostics: "What is measured of the matrices, and how much time it may take.",
};

export const DEFAULT_PRESET = "normuon";
