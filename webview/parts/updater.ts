/** When a page asks, when it draws: once a frame, only what changed, and asking only when something else is wanted. */
import type { DataMessage, DrawnMessage, WatchMessage } from "../../extension/protocol/panels";

interface Part {
  readonly visible: boolean;
  receive(message: DataMessage): void;
  draw(): void;
  moved?(): void;
}

/** A resize or a scroll asks many times: the last one counts. */
const WATCH_DELAY_MS = 40;

export class Updater<Out> {
  private readonly dirty = new Set<Part>();
  private frame = 0;
  private asking = 0;
  private asked = "";
  private cursorMoved = false;
  private acknowledge = false;
  /** After every frame. */
  onDraw: () => void = () => undefined;

  constructor(
    private readonly page: { host: { send(message: Out | WatchMessage | DrawnMessage): void }; parts: Part[]; watched: () => WatchMessage },
  ) {
    new ResizeObserver(() => this.watch()).observe(document.body);
  }

  /** What is shown may have changed. */
  watch(): void {
    window.clearTimeout(this.asking);
    this.asking = window.setTimeout(() => {
      const message = this.page.watched();
      const key = JSON.stringify(message);
      if (key === this.asked) return;
      this.asked = key;
      this.page.host.send(message);
    }, WATCH_DELAY_MS);
  }

  receive(message: DataMessage): void {
    for (const part of this.page.parts) part.receive(message);
    this.acknowledge = true;
    // Step, marks and axes may have moved with any message.
    this.draw();
  }

  /** Everything that can be seen. */
  draw(): void {
    for (const part of this.page.parts) if (part.visible) this.dirty.add(part);
    this.schedule();
  }

  /** The cursor only. */
  move(): void {
    this.cursorMoved = true;
    this.schedule();
  }

  private schedule(): void {
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      const drawn = [...this.dirty];
      this.dirty.clear();
      for (const part of drawn) part.draw();
      this.onDraw();
      if (this.cursorMoved) for (const part of this.page.parts) if (part.visible && !drawn.includes(part)) part.moved?.();
      this.cursorMoved = false;
      if (this.acknowledge) this.page.host.send({ type: "drawn" });
      this.acknowledge = false;
    });
  }
}
