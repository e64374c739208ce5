/** The page of one run: state and controls, loss and other scalars, a scalar of every matrix, a distribution of one. */
import type { Catalog, ControlsMessage, FromDashboard, RecordMessage, StateMessage, ToDashboard } from "../extension/protocol/panels";
import { formatCompact } from "../extension/protocol/format";
import { LEARNING_RATE, LOSS_TRAIN, LOSS_VALIDATION, TOKENS_PER_SECOND } from "../extension/protocol/tags";
import { ChartOptions } from "./parts/chartOptions";
import { Controls } from "./parts/controls";
import { h, Picker } from "./parts/dom";
import { Banner, Header } from "./parts/header";
import { Host } from "./parts/host";
import { MatrixPanel, type MatrixView } from "./parts/matrixPanel";
import { Scene } from "./parts/scene";
import { SeriesPanel } from "./parts/seriesPanel";
import { SnapshotPanel, type SnapshotView } from "./parts/snapshotPanel";
import { onThemeChange, theme } from "./parts/theme";
import { Updater } from "./parts/updater";
import "./style/page.css";

interface View {
  smoothing: number;
  logX: boolean;
  logLoss: boolean;
  /** Plain scalars in the two small charts. */
  small: [string, string];
  tensor: string;
  matrix: MatrixView;
  snapshot: SnapshotView;
}

const SCALAR_TITLES: Record<string, string> = { [LEARNING_RATE]: "Learning rate", [TOKENS_PER_SECOND]: "Tokens per second" };

const host = new Host<ToDashboard, FromDashboard, View>((message) => receive(message));
const view = host.restore({
  smoothing: 0.9,
  logX: false,
  logLoss: false,
  small: [LEARNING_RATE, TOKENS_PER_SECOND],
  tensor: "",
  matrix: { channel: "condition_number", tap: "update", hidden: null, drawing: "lines" },
  snapshot: { channel: "neuron_norm", taps: [], step: null, layout: "overlay" },
});
let catalog: Catalog = { plain: [], channels: [], tensors: [] };
let state: StateMessage | undefined;
let record: RecordMessage | undefined;
let possible: ControlsMessage | undefined;

const send = (message: FromDashboard) => host.send(message);
const header = new Header();
const banner = new Banner(send);
const controls = new Controls(send);

const scene = new Scene(false, { redraw: () => updater.draw(), moved: () => updater.move(), rewatch: () => updater.watch() });
scene.runs = [{ name: "", slot: 0 }];

const loss = new SeriesPanel(scene, "loss", "Loss", () => {
  const colors = theme().palette;
  return {
    logY: view.logLoss,
    readings: [LOSS_TRAIN, LOSS_VALIDATION],
    lines: [
      { tag: LOSS_TRAIN, name: () => "train", style: () => ({ color: colors[0]! }), smooth: true },
      { tag: LOSS_VALIDATION, name: () => "validation", style: () => ({ color: colors[1]!, width: 2 }), dots: true },
    ],
  };
});
const small = ([0, 1] as const).map((index) => {
  const panel = new SeriesPanel(scene, `small${index}`, "Scalar", () => ({
    logY: false,
    readings: [view.small[index]],
    ...(view.small[index] === TOKENS_PER_SECOND && { format: formatCompact }),
    lines: [{ tag: view.small[index], name: () => "", style: () => ({ color: theme().palette[2 + index]! }) }],
  }));
  const picker = new Picker("Quantity", (tag) => {
    view.small[index] = tag;
    changed();
  });
  panel.panel.titledBy(picker.element);
  return { panel, picker };
});
const matrix = new MatrixPanel(scene, "matrix", view.matrix, tensor, select, changed);
const snapshot = new SnapshotPanel(scene, "snapshot", view.snapshot, tensor, select, changed, { slider: true });
const updater = new Updater<FromDashboard>({
  host,
  parts: [loss, ...small.map(({ panel }) => panel), matrix, snapshot],
  watched: () => {
    const { series, profiles } = matrix.requests();
    return {
      type: "watch",
      series: [...loss.requests(), ...small.flatMap(({ panel }) => panel.requests()), ...series],
      profiles,
      snapshots: snapshot.requests(),
    };
  },
});
const options = new ChartOptions(view, { log: "Log Loss" }, changed);

document.body.append(
  h("div", { class: "top" }, header.element, controls.element),
  banner.element,
  h(
    "main",
    {},
    options.element,
    h("div", { class: "grid" }, loss.panel.element, h("div", { class: "stack" }, ...small.map(({ panel }) => panel.panel.element))),
    matrix.series.panel.element,
    snapshot.panel.element,
  ),
);
onThemeChange(changed);
changed();
send({ type: "ready" });

/** The chosen matrix; until one is, the first. */
function tensor(): string {
  return catalog.tensors.includes(view.tensor) ? view.tensor : (catalog.tensors[0] ?? "");
}

function select(chosen: string): void {
  view.tensor = chosen;
  changed();
}

/** What is shown changed: ask for it, keep it, draw it. */
function changed(): void {
  scene.smoothing = view.smoothing;
  scene.logX = view.logX;
  showCatalog();
  host.store(view);
  updater.watch();
  updater.draw();
}

function showCatalog(): void {
  small.forEach(({ picker }, index) =>
    picker.show(
      catalog.plain.map((plain) => ({ value: plain, label: SCALAR_TITLES[plain] ?? plain })),
      view.small[index]!,
    ),
  );
  matrix.show(catalog);
  snapshot.show(catalog);
}

function receive(message: ToDashboard): void {
  switch (message.type) {
    case "run":
      catalog = message.catalog;
      scene.runs = [{ name: message.name, slot: 0 }];
      header.setRun(message);
      showCatalog();
      updater.watch();
      break;
    case "state":
      state = message;
      scene.extent = Math.max(1, message.run.step);
      header.show(message);
      break;
    case "record":
      record = message;
      scene.markers = message.markers;
      break;
    case "controls":
      controls.show(message, catalog.tensors);
      possible = message;
      break;
    case "data":
      if (state && record && possible) banner.show(state, record, possible);
      updater.receive(message);
      break;
  }
}
