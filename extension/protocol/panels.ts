/**
 * Every message between the extension host and its webviews.
 *
 * The host keeps the truth. A page says `ready`, then what it shows (`watch`). The host answers with what it knows of the
 * run or runs and with the data asked for, and sends again whatever changed, while the page is visible. A data message is
 * sent only when the page has `drawn` the one before: a slow connection gets fewer messages, never older ones.
 *
 * Arrays travel as typed arrays over buffers of their exact size.
 */
import type { Knob, KnobValue } from "./description";
import type { RunStatus } from "./runFolder";

/** A channel at its taps, for pickers: what a panel of that shape can draw. */
export interface Channel {
  id: string;
  title: string;
  shape: "scalar" | "histogram" | "vector";
  unit: string;
  /** In the order of the optimizer's pipeline; only those with data. */
  taps: string[];
  logarithmic: boolean;
  meaning: string;
}

/** What there is to draw; grows while a run goes on. */
export interface Catalog {
  /** Scalars that belong to no matrix: `loss/train`, `optimizer/lr`, … */
  plain: string[];
  channels: Channel[];
  /** Names of matrices with data, in the model's order. */
  tensors: string[];
}

/** An order that took effect: a vertical line on every chart. */
export interface Marker {
  /** Index of the run in the page's list of runs. */
  run: number;
  /** First step on which it had effect. */
  step: number;
  /** Seconds since the run began. */
  time: number;
  /** `set`: a change of the optimizer; `do`: pause, checkpoint and the like. */
  kind: "set" | "do";
  label: string;
  detail: string;
}

export interface RunSummary {
  id: string;
  name: string;
  folder: string;
  status: RunStatus;
  step: number;
  steps: number | null;
  loss: number | null;
  validationLoss: number | null;
  /** Why it paused, stopped, failed or crashed. */
  reason: string | null;
}

/** One line of a chart, reduced to what its pixels can show: minimum and maximum of every column survive. */
export interface SeriesRequest {
  panel: string;
  tag: string;
  /** Steps, or seconds since the run began. */
  axis: "step" | "time";
  /** Visible part of the axis; null = all of it. */
  range: { from: number; to: number } | null;
  /** Pixels. */
  width: number;
  /** Weight of the bias-corrected exponential moving average, 0 ≤ weight < 1; 0 = none. */
  smoothing: number;
}

export interface SeriesData {
  panel: string;
  run: number;
  tag: string;
  /** As asked for: a page that has changed its mind passes over what was on its way. */
  axis: "step" | "time";
  x: Float64Array;
  y: Float64Array;
  /** Average of the raw values, by the request's weight; null when none was asked for. */
  smooth: { x: Float64Array; y: Float64Array } | null;
}

/** A histogram or a vector at one step. */
export interface SnapshotRequest {
  panel: string;
  tag: string;
  /** The last one measured at or before this step; null = the latest. */
  step: number | null;
}

export interface SnapshotData {
  panel: string;
  run: number;
  tag: string;
  /** Where the tag was measured. */
  steps: Float64Array;
  /** Null: nothing measured up to that step. */
  value: Snapshot | null;
  /** Numbers that go with it at the same step: `cv`, `p50`, … by name. */
  readings: Record<string, number>;
}

export type Snapshot = { step: number } & (
  { shape: "histogram"; edges: Float64Array; counts: Float64Array; count: number } | { shape: "vector"; values: Float64Array }
);

/** A scalar channel's value at every matrix, at one step: bars, and the table beside a chart. */
export interface ProfileRequest {
  panel: string;
  channel: string;
  tap: string;
  /** The last one measured at or before this step; null = the latest. */
  step: number | null;
}

export interface ProfileData {
  panel: string;
  run: number;
  channel: string;
  tap: string;
  tensors: string[];
  /** Beside `tensors`; NaN = not measured. */
  values: Float64Array;
  steps: Float64Array;
}

export interface WatchMessage {
  type: "watch";
  series: SeriesRequest[];
  snapshots: SnapshotRequest[];
  profiles: ProfileRequest[];
}

export interface DataMessage {
  type: "data";
  /** Only what changed since the last message or the last `watch`. */
  series: SeriesData[];
  snapshots: SnapshotData[];
  profiles: ProfileData[];
}

/** A page is there and listens; it knows nothing. */
export interface ReadyMessage {
  type: "ready";
}

export interface DrawnMessage {
  type: "drawn";
}

/** Something went wrong in the page: for the log. */
export interface PageErrorMessage {
  type: "pageError";
  message: string;
}

/** A button that is also a command of the palette, for the page's run. */
export interface CommandMessage {
  type: "command";
  command:
    | "muonscope.pauseRun"
    | "muonscope.singleStep"
    | "muonscope.checkpointNow"
    | "muonscope.measureNow"
    | "muonscope.stopRun"
    | "muonscope.resumeRun"
    | "muonscope.openTrainerLog";
}

/** What every page says. */
export type FromPage = ReadyMessage | WatchMessage | DrawnMessage | PageErrorMessage | CommandMessage;

/** Set a live knob, for all matrices or those a glob names. */
export interface SetKnobMessage {
  type: "setKnob";
  knob: string;
  group: Control["group"];
  value: KnobValue;
  scope: string | null;
}

// ---- dashboard: one run

/** A live knob and its value as the run's events tell it. */
export interface Control {
  knob: Knob;
  group: "matrix" | "auxiliary" | "run";
  /** By tensor; a control of the whole run has one entry, `""`. */
  values: Record<string, KnobValue>;
  /** An order that is not yet answered. */
  pending: { value: KnobValue; scope: string | null } | null;
}

export interface Alert {
  severity: "warning" | "error";
  step: number;
  message: string;
}

export interface RunMessage {
  type: "run";
  name: string;
  folder: string;
  /** Preset, size, backend: one line. */
  subtitle: string;
  /** What it runs on and the memory that it takes: beside the line, for whoever asks. */
  detail: string;
  catalog: Catalog;
}

/** Changes with every step. */
export interface StateMessage {
  type: "state";
  run: RunSummary;
  tokensPerSecond: number | null;
  /** Of training, without the gaps between sessions. */
  elapsedSeconds: number | null;
  remainingSeconds: number | null;
  /** Measuring ÷ the rest of the step. */
  overhead: number | null;
}

/** What happened to the run. */
export interface RecordMessage {
  type: "record";
  markers: Marker[];
  alerts: { latest: Alert[]; earlier: number };
  /** Last lines of trainer.log when the run failed or crashed. */
  log: string | null;
}

/** What can be done with the run. */
export interface ControlsMessage {
  type: "controls";
  controls: Control[];
  status: RunStatus;
  can: { control: boolean; resume: boolean };
  /** Why it cannot, in a sentence; null when it can. */
  cannot: string | null;
  /** Orders `do` that are not yet answered. */
  pending: string[];
}

export type ToDashboard = RunMessage | StateMessage | RecordMessage | ControlsMessage | DataMessage;
export type FromDashboard = FromPage | SetKnobMessage;

// ---- compare: two or more runs

export interface ComparedRun extends RunSummary {
  /** Stays with the run as others come and go: its colour and dash. */
  slot: number;
}

export interface RunsMessage {
  type: "runs";
  /** For the page to store, so that the editor finds the runs again after a reload. */
  source: unknown;
  runs: ComparedRun[];
}

export interface ComparisonMessage {
  type: "comparison";
  /** Of all runs together. */
  catalog: Catalog;
  markers: Marker[];
  /** What differs: one row a field, one value a run; null = not there. */
  differences: { path: string; values: (string | null)[] }[];
}

/** When each run first reached the target validation loss. */
export interface TargetMessage {
  type: "target";
  loss: number;
  /** `best`: not reached. Null: no validation loss at all. */
  rows: ({ step: number; seconds: number; tokens: number | null } | { best: number | null } | null)[];
}

export interface SetTargetMessage {
  type: "setTarget";
  loss: number;
}

/** Leave it out, or open its dashboard. `run`: its folder. */
export interface OneRunMessage {
  type: "removeRun" | "openRun";
  run: string;
}

/** The user is asked for more runs. */
export interface AddRunsMessage {
  type: "addRuns";
}

export type ToCompare = RunsMessage | ComparisonMessage | TargetMessage | DataMessage;
export type FromCompare = FromPage | SetTargetMessage | AddRunsMessage | OneRunMessage;
