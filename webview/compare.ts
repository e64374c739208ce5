/** The page that sets two or more runs beside each other. */
import type { Catalog, ComparedRun, FromCompare, ToCompare } from "../extension/protocol/panels";
import { LOSS_TRAIN, LOSS_VALIDATION, matrixTag } from "../extension/protocol/tags";
import { ChartOptions } from "./parts/chartOptions";
import { differencesTable, RunChips, TargetTable } from "./parts/comparison";
import { h, Picker, segmented } from "./parts/dom";
import { Host } from "./parts/host";
import { ProfilePanel, type ProfileView } from "./parts/profilePanel";
import { Scene } from "./parts/scene";
import { SeriesPanel } from "./parts/seriesPanel";
import { SnapshotPanel, type SnapshotView } from "./parts/snapshotPanel";
import { StepSlider } from "./parts/stepSlider";
import { onThemeChange, slotStyle, theme } from "./parts/theme";
import { Updater } from "./parts/updater";
import "./style/page.css";

interface View {
  smoothing: number;
  logX: boolean;
  logLoss: boolean;
  axis: "step" | "time";
  loss: "train" | "validation" | "both";
  tensor: string;
  profile: ProfileView;
  /** Of profile and distribution; null: the last one that every run has made. */
  step: number | null;
  snapshot: SnapshotView;
  target: number | null;
  /** What the host finds the runs by after a reload. */
  source: unknown;
}

const host = new Host<ToCompare, FromCompare, View>((message) => receive(message));
const view = host.restore({
  smoothing: 0.9,
  logX: false,
  logLoss: false,
  axis: "step",
  loss: "both",
  tensor: "",
  profile: { channel: "condition_number", tap: "update", step: null },
  step: null,
  snapshot: { channel: "neuron_norm", taps: ["update"], step: null, layout: "beside" },
  target: null,
  source: null,
});
let catalog: Catalog = { plain: [], channels: [], tensors: [] };
let runs: readonly ComparedRun[] = [];
let targetSent = false;

const send = (message: FromCompare) => host.send(message);
const scene = new Scene(true, { redraw: () => updater.draw(), moved: () => updater.move(), rewatch: () => updater.watch() });

const runStyle = (run: number) => slotStyle(theme(), scene.runs[run]?.slot ?? 0);
const runName = (run: number) => scene.runs[run]?.name ?? "";

const loss = new SeriesPanel(scene, "loss", "Loss", () => ({
  logY: view.logLoss,
  readings: [LOSS_TRAIN, LOSS_VALIDATION],
  lines: [
    ...(view.loss !== "validation" ? [{ tag: LOSS_TRAIN, name: runName, style: runStyle, smooth: true }] : []),
    ...(view.loss !== "train"
      ? [
          {
            tag: LOSS_VALIDATION,
            name: (run: number) => `${runName(run)} validation`,
            style: (run: number) => ({ ...runStyle(run), width: view.loss === "both" ? 1 : 2 }),
            dots: true,
          },
        ]
      : []),
  ],
}));
loss.panel.tools.append(
  segmented(
    "Which loss",
    [
      { value: "both", label: "Both" },
      { value: "train", label: "Train" },
      { value: "validation", label: "Validation" },
    ],
    view.loss,
    (value) => {
      view.loss = value as View["loss"];
      changed();
    },
  ),
);
const overTime = new SeriesPanel(scene, "matrix", "Condition number", () => {
  const tag = matrixTag(view.profile.channel, view.profile.tap, tensor());
  return { logY: channel()?.logarithmic ?? false, readings: [tag], lines: [{ tag, name: runName, style: runStyle }] };
});
const profile = new ProfilePanel(scene, view.profile, tensor, select);
const snapshot = new SnapshotPanel(scene, "snapshot", view.snapshot, tensor, select, changed, { slider: false });
const slider = new StepSlider("At step", "The last step that every run has made", (step) => {
  view.step = step;
  changed();
});
const tensorPicker = new Picker("Matrix", select);
const channelPicker = new Picker("Quantity", (value) => {
  view.profile.channel = value;
  changed();
});
const tapPicker = new Picker("Tap: where in the optimizer it is measured", (value) => {
  view.profile.tap = value;
  changed();
});
const updater = new Updater<FromCompare>({
  host,
  parts: [loss, overTime, profile, snapshot],
  watched: () => ({
    type: "watch",
    series: [...loss.requests(), ...overTime.requests()],
    profiles: profile.requests(),
    snapshots: snapshot.requests(),
  }),
});
updater.onDraw = () => {
  const all = [...new Set([...profile.steps(), ...snapshot.steps()])].sort((a, b) => a - b);
  slider.show(
    all.filter((step) => step <= commonStep()),
    view.step,
    scene.markers,
  );
};
const target = new TargetTable(view.target, (value) => {
  view.target = value;
  host.store(view);
  send({ type: "setTarget", loss: value });
});
const chips = new RunChips(send);
const differences = h("div", { class: "rows" });
const axis = segmented(
  "Axis",
  [
    { value: "step", label: "By Step" },
    { value: "time", label: "By Time" },
  ],
  view.axis,
  (value) => {
    view.axis = value as View["axis"];
    scene.range = null;
    scene.cursor = null;
    loss.forget();
    overTime.forget();
    scene.extent = 1;
    changed();
  },
);
const section = (title: string, content: HTMLElement) =>
  h("section", { class: "panel", "aria-label": title }, h("header", {}, h("h2", {}, title)), content);

document.body.append(
  h("div", { class: "top" }, chips.element),
  h(
    "main",
    {},
    new ChartOptions(view, { log: "Log Loss" }, changed, axis).element,
    loss.panel.element,
    h("div", { class: "grid even" }, section("To a target", target.element), section("Configuration: what differs", differences)),
    h("div", { class: "pickers" }, channelPicker.element, tapPicker.element, tensorPicker.element, slider.element),
    h("div", { class: "grid even" }, overTime.panel.element, profile.panel.element),
    snapshot.panel.element,
  ),
);
onThemeChange(() => {
  chips.recolor();
  changed();
});
changed();
send({ type: "ready" });

function channel() {
  return catalog.channels.find(({ id }) => id === view.profile.channel);
}

/** The chosen matrix; until one is, the first. */
function tensor(): string {
  return catalog.tensors.includes(view.tensor) ? view.tensor : (catalog.tensors[0] ?? "");
}

function select(chosen: string): void {
  view.tensor = chosen;
  changed();
}

function changed(): void {
  scene.smoothing = view.smoothing;
  scene.logX = view.logX;
  scene.axis = view.axis;
  const step = view.step ?? commonStep();
  view.snapshot.step = view.profile.step = Number.isFinite(step) ? step : null;
  showCatalog();
  host.store(view);
  updater.watch();
  updater.draw();
}

/** The last one that every run has made. */
function commonStep(): number {
  return Math.min(...runs.map(({ step }) => step));
}

function showCatalog(): void {
  const scalars = catalog.channels.filter(({ shape }) => shape === "scalar");
  const chosen = scalars.find(({ id }) => id === view.profile.channel) ?? scalars[0];
  if (chosen) {
    view.profile.channel = chosen.id;
    if (!chosen.taps.includes(view.profile.tap)) view.profile.tap = chosen.taps.at(-1)!;
  }
  channelPicker.show(
    scalars.map(({ id, title }) => ({ value: id, label: title })),
    view.profile.channel,
  );
  tapPicker.show(
    (chosen?.taps ?? []).map((tap) => ({ value: tap, label: tap })),
    view.profile.tap,
  );
  tensorPicker.show(
    catalog.tensors.map((tensor) => ({ value: tensor, label: tensor })),
    tensor(),
  );
  overTime.panel.setTitle(`${chosen?.title ?? "Scalar"}: ${tensor()}`, chosen?.meaning ?? "");
  profile.show(catalog);
  snapshot.show(catalog);
}

function receive(message: ToCompare): void {
  switch (message.type) {
    case "runs": {
      const before = scene.runs.map(({ slot }) => slot).join();
      runs = message.runs;
      view.source = message.source;
      scene.runs = runs.map(({ name, slot }) => ({ name, slot }));
      if (view.axis === "step") scene.extent = Math.max(1, ...runs.map(({ step }) => step));
      if (before !== scene.runs.map(({ slot }) => slot).join()) for (const part of [loss, overTime, profile, snapshot]) part.forget();
      chips.show(runs);
      target.showRuns(runs);
      suggestTarget();
      changed();
      break;
    }
    case "comparison":
      catalog = message.catalog;
      scene.markers = message.markers;
      differences.replaceChildren(differencesTable(runs, message.differences));
      changed();
      break;
    case "target":
      target.show(message);
      break;
    case "data":
      updater.receive(message);
      break;
  }
}

/** Once a page: the target of its earlier life, or the worst of the runs' last validation losses, which all have reached. */
function suggestTarget(): void {
  if (targetSent) return;
  if (view.target === null) {
    const losses = runs.flatMap(({ validationLoss }) => (validationLoss !== null && Number.isFinite(validationLoss) ? validationLoss : []));
    if (losses.length < runs.length) return;
    view.target = Number((Math.max(...losses) + 0.005).toFixed(2));
    target.setTarget(view.target);
  }
  targetSent = true;
  send({ type: "setTarget", loss: view.target });
}
