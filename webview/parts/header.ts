/** Who the run is and how it goes, in one row; what went wrong, in a banner with the way on. */
import { formatCompact, formatCount, formatDuration, formatNumber, formatPercent } from "../../extension/protocol/format";
import type { ControlsMessage, FromDashboard, RecordMessage, RunMessage, RunSummary, StateMessage } from "../../extension/protocol/panels";
import type { RunStatus } from "../../extension/protocol/runFolder";
import { h } from "./dom";

export const STATUS_TEXT: Record<RunStatus, string> = {
  starting: "Starting",
  running: "Running",
  paused: "Paused",
  finished: "Finished",
  stopped: "Stopped",
  failed: "Failed",
  crashed: "Crashed",
  unknown: "Log only",
};

export const statusBadge = (run: RunSummary): HTMLElement =>
  h("span", { class: `status ${run.status}` }, h("i", { "aria-hidden": "true" }), STATUS_TEXT[run.status]);

export class Header {
  readonly element = h("header", { class: "run-header" });
  private readonly title = h("h1");
  private readonly subtitle = h("span", { class: "subtitle" });
  private readonly status = h("span");
  private readonly numbers = h("dl", { class: "numbers" });
  private readonly progress = h("progress", { "aria-label": "Progress", max: "1" });

  constructor() {
    this.element.append(h("div", { class: "run-title" }, this.status, this.title, this.subtitle), this.numbers, this.progress);
  }

  setRun({ name, folder, subtitle, detail }: RunMessage): void {
    this.title.textContent = name;
    this.title.title = folder;
    this.subtitle.textContent = subtitle;
    this.subtitle.title = detail;
  }

  show(state: StateMessage): void {
    const { run } = state;
    this.status.replaceChildren(statusBadge(run));
    const done = run.steps ? run.step / run.steps : null;
    this.progress.hidden = done === null;
    if (done !== null) this.progress.value = Math.min(1, done);
    const entries: [string, string, string][] = [
      ["Step", run.steps === null ? formatCount(run.step) : `${formatCount(run.step)} / ${formatCount(run.steps)}`, "Steps done of all"],
      ["Loss", formatNumber(run.loss), "Training loss of the last step, nats per token"],
      ["Validation", formatNumber(run.validationLoss), "Last validation loss, nats per token"],
      ["Tokens/s", formatCompact(state.tokensPerSecond), "Trained tokens per second, last step"],
      ["Elapsed", formatDuration(state.elapsedSeconds), "Time of training, without pauses"],
      ["Left", formatDuration(state.remainingSeconds), "At the pace of the last steps"],
      ["Diagnostics", formatPercent(state.overhead), "What measuring costs, of the rest of the step time"],
    ];
    this.numbers.replaceChildren(
      ...entries.map(([name, value, meaning]) => h("div", { title: meaning }, h("dt", {}, name), h("dd", {}, value))),
    );
  }
}

export class Banner {
  readonly element = h("div", { class: "banners", role: "status" });
  private shown = "";

  constructor(private readonly send: (message: FromDashboard) => void) {}

  show({ run }: StateMessage, { alerts, log }: RecordMessage, { can }: ControlsMessage): void {
    const key = JSON.stringify([run.status, run.reason, alerts, log, can]);
    if (key === this.shown) return;
    this.shown = key;
    const banners: HTMLElement[] = [];
    const action = (command: "muonscope.resumeRun" | "muonscope.openTrainerLog", label: string, primary: boolean) =>
      h(
        "vscode-button",
        {
          ...(primary ? {} : { appearance: "secondary" }),
          "data-command": command,
          onclick: () => this.send({ type: "command", command }),
        },
        label,
      );
    if (run.status === "failed" || run.status === "crashed" || run.status === "stopped") {
      banners.push(
        h(
          "div",
          { class: run.status === "stopped" ? "banner" : "banner error" },
          h(
            "div",
            { class: "banner-text" },
            h("b", {}, `${STATUS_TEXT[run.status]} at step ${formatCount(run.step)}`),
            run.reason ? `: ${run.reason}` : "",
          ),
          ...(log ? [h("pre", { tabindex: "0", "aria-label": "Last lines of the trainer's log" }, log)] : []),
          h(
            "div",
            { class: "banner-actions" },
            ...(can.resume ? [action("muonscope.resumeRun", "Resume from Checkpoint", true)] : []),
            action("muonscope.openTrainerLog", "Open Trainer Log", false),
          ),
        ),
      );
    }
    const { latest, earlier } = alerts;
    if (latest.length > 0) {
      const worst = latest.some(({ severity }) => severity === "error") ? "error" : "warning";
      const last = latest.slice(-3).reverse();
      banners.push(
        h(
          "div",
          { class: `banner ${worst}` },
          h(
            "div",
            { class: "banner-text" },
            ...last.map((alert) => h("div", {}, h("b", {}, `Step ${formatCount(alert.step)}: `), alert.message)),
            ...(latest.length > 3 ? [h("div", { class: "muted" }, `and ${latest.length - 3 + earlier} earlier`)] : []),
          ),
        ),
      );
    }
    this.element.replaceChildren(...banners);
    // The end of a log says why.
    for (const text of this.element.querySelectorAll("pre")) text.scrollTop = text.scrollHeight;
  }
}
