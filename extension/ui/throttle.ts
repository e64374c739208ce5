/** A deed that others ask for as often as they like, and that is done at a bounded rate. */
export class Throttle {
  private timer: NodeJS.Timeout | undefined;
  private doneAt = -Infinity;

  /** `gap`: milliseconds of rest after each time. */
  constructor(
    private readonly gap: number,
    private readonly deed: () => void,
  ) {}

  /** At once when it was not done lately, else as soon as the rest is over; however often it is asked for meanwhile, once. */
  ask(): void {
    if (this.timer) return;
    const wait = this.doneAt + this.gap - performance.now();
    if (wait <= 0) return this.do();
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.do();
    }, wait);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private do(): void {
    // Who asks from inside of the deed waits like anyone else.
    this.doneAt = performance.now();
    try {
      this.deed();
    } finally {
      // From its end: the host has the rest for itself, however long the deed takes.
      this.doneAt = performance.now();
    }
  }
}
