/** The page's end of the messages with the extension host, and its memory across hiding and reloading. */

interface VsCodeApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): VsCodeApi;

export class Host<In, Out, View extends object> {
  private readonly api = acquireVsCodeApi();

  constructor(receive: (message: In) => void) {
    // What the page is about, for the editor to restore it after a reload.
    const source = document.documentElement.dataset["source"];
    if (source) this.api.setState({ ...(this.api.getState() as object | undefined), source: JSON.parse(source) as unknown });
    window.addEventListener("message", (event: MessageEvent<In>) => receive(event.data));
    const report = (message: string) => this.api.postMessage({ type: "pageError", message });
    window.addEventListener("error", (event) =>
      report(event.error instanceof Error ? (event.error.stack ?? event.message) : event.message),
    );
    window.addEventListener("unhandledrejection", (event) => report(String(event.reason)));
  }

  send(message: Out): void {
    this.api.postMessage(message);
  }

  /** What was stored in an earlier life of the page, over `defaults`. */
  restore(defaults: View): View {
    return { ...defaults, ...(this.api.getState() as Partial<View> | undefined) };
  }

  /** Keeps `view` for the next life of the page. The host's own part of the state (which run) stays. */
  store(view: View): void {
    this.api.setState({ ...(this.api.getState() as object | undefined), ...view });
  }
}
