/** The run as a person at a terminal sees it: one line that is drawn again, or plain lines where there is no terminal. */

export interface Progress {
  step: number;
  steps: number;
  loss: number;
  validationLoss: number | null;
  tokensPerSecond: number;
  secondsLeft: number;
}

/** As much of a terminal, or of a file in its place, as is used. */
export interface Output {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

/** Milliseconds between lines of a log, and between drawings on a terminal. */
const PLAIN = 10_000;
const DRAWN = 100;
const BAR = 24;

export class ProgressLine {
  private last = -Infinity;
  private drawn = false;

  constructor(private readonly out: Output) {}

  /** `always`: even if a line was just printed. */
  show(progress: Progress, always = false): void {
    const now = performance.now();
    if (!always && now - this.last < (this.out.isTTY ? DRAWN : PLAIN)) return;
    this.last = now;
    if (!this.out.isTTY) {
      this.out.write(`${describe(progress)}\n`);
      return;
    }
    const done = Math.round((BAR * progress.step) / progress.steps);
    const line = `${"█".repeat(done)}${"░".repeat(BAR - done)} ${describe(progress)}`;
    // No wider than the terminal: a line that wraps cannot be drawn over.
    this.out.write(`\r${line.slice(0, Math.max(20, (this.out.columns ?? 80) - 1))}\x1b[K`);
    this.drawn = true;
  }

  /** A line of its own. */
  say(text: string): void {
    this.out.write(`${this.drawn ? "\r\x1b[K" : ""}${text}\n`);
    this.drawn = false;
  }

  end(): void {
    if (this.drawn) this.out.write("\n");
    this.drawn = false;
  }
}

function describe({ step, steps, loss, validationLoss, tokensPerSecond, secondsLeft }: Progress): string {
  const validation = validationLoss === null ? "" : ` · validation ${validationLoss.toFixed(4)}`;
  return (
    `step ${step}/${steps} · loss ${loss.toFixed(4)}${validation} · ` +
    `${Math.round(tokensPerSecond).toLocaleString("en")} tokens/s · ${duration(secondsLeft)} left`
  );
}

export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, "0")} min`;
  return minutes > 0 ? `${minutes} min ${String(whole % 60).padStart(2, "0")} s` : `${whole} s`;
}
