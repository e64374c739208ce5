/**
 * A person at a served VS Code: opens it in Chromium, uses the palette and quick picks, finds pages, takes screenshots.
 *
 * Environment (scripts/ui-suite.mjs): MUONSCOPE_TEST_URL, MUONSCOPE_TEST_WORKSPACE, MUONSCOPE_TEST_SCREENSHOTS (a folder),
 * MUONSCOPE_CHROMIUM.
 */
import { join } from "node:path";
import { chromium, errors, type Browser, type Frame, type Locator, type Page } from "playwright-core";
import { settle } from "./settle";

export function environment(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} must be set; \`npm test -- ui\` does.`);
  return value;
}

export const workspace = (): string => environment("MUONSCOPE_TEST_WORKSPACE");

/** Milliseconds for what a person would call slow, on a machine that is not. */
const PATIENCE = 40_000;
/** For one attempt of several. */
const SOON = 2000;
/** Milliseconds in which the workbench is there on such a machine; where it takes longer, everything may. */
const OPENING = 8000;
/** For the workbench itself, which nothing was there to compare with before. */
const OPENING_LIMIT = 300_000;

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;

export class Workbench {
  /** How many times as long as on such a machine things take here; 1 on a faster one. */
  slowness = 1;

  private constructor(
    private readonly browser: Browser,
    readonly page: Page,
  ) {}

  /** Milliseconds to wait for something, here. */
  get patience(): number {
    return PATIENCE * this.slowness;
  }

  private get soon(): { timeout: number } {
    return { timeout: SOON * this.slowness };
  }

  static async open(): Promise<Workbench> {
    // As root in a container there is no sandbox; the rest keeps Chromium from calling home.
    const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
    const browser = await chromium.launch({ executablePath: environment("MUONSCOPE_CHROMIUM"), args });
    const page = await browser.newPage({ viewport: { width: 1500, height: 1200 } });
    page.setDefaultTimeout(OPENING_LIMIT);
    const workbench = new Workbench(browser, page);
    try {
      await settle(page);
      const begun = performance.now();
      await page.goto(environment("MUONSCOPE_TEST_URL"));
      await workbench.ready();
      await workbench.started();
      const took = performance.now() - begun;
      workbench.slowness = Math.max(1, took / OPENING);
      page.setDefaultTimeout(workbench.patience);
      console.log(`The workbench was there after ${seconds(took)}: what follows may take ${seconds(workbench.patience)} each.`);
      await workbench.atRest();
    } catch (error) {
      await Promise.allSettled([workbench.screenshot("failed-to-open")]);
      await browser.close();
      throw error;
    }
    return workbench;
  }

  private async ready(): Promise<void> {
    await this.page.locator(".monaco-workbench .part.sidebar .pane-body").first().waitFor();
  }

  /** The last phase of the window's start is over (VS Code's phase 4, "Eventually"). */
  private async started(): Promise<void> {
    await this.page.waitForFunction((name) => performance.getEntriesByName(name).length > 0, "code/didCreateWorkbenchContributions/4");
  }

  /** The window has had no task of 50 ms or more for two seconds: a person begins then. Timings before that would count VS Code's start. */
  private async atRest(): Promise<void> {
    await this.page.evaluate(
      () =>
        new Promise<void>((resolve) => {
          const QUIET_MS = 2000;
          // On a busy machine there is always one.
          setTimeout(resolve, 5 * QUIET_MS);
          let timer = setTimeout(resolve, QUIET_MS);
          new PerformanceObserver(() => {
            clearTimeout(timer);
            timer = setTimeout(resolve, QUIET_MS);
          }).observe({ type: "longtask" });
        }),
    );
  }

  /** By the workbench's own command, which saves what is open first; a browser's reload need not. */
  async reload(): Promise<void> {
    const loaded = this.page.waitForEvent("load");
    await this.command("Developer: Reload Window");
    await loaded;
    await this.ready();
  }

  /** Opens the palette and runs the command with this title. */
  command(title: string): Promise<void> {
    return this.persist(title, () => this.palette(title));
  }

  /** Runs a command that asks, and chooses the row that begins with this text. */
  pick(title: string, label: string): Promise<void> {
    return this.persist(`${title} ${label}`, async () => {
      await this.palette(title);
      // The list's own field, not the palette's; long lists show only the rows that are in sight.
      await this.page.locator('.quick-input-widget input.input:not([aria-label^="Type the name of a command"])').fill(label, this.soon);
      await this.row(label).click(this.soon);
    });
  }

  /** Runs a command that asks for several, ticks these rows and confirms. */
  pickAll(title: string, labels: string[]): Promise<void> {
    return this.persist(`${title} ${labels.join()}`, async () => {
      await this.palette(title);
      for (const label of labels) {
        await this.row(label).waitFor(this.soon);
        if ((await this.row(label).getAttribute("aria-checked", this.soon)) === "false") await this.row(label).click(this.soon);
        await this.row(label, '[aria-checked="true"]').waitFor(this.soon);
      }
      await this.page.locator(".quick-input-widget .quick-input-action:visible", { hasText: "OK" }).click(this.soon);
    });
  }

  private row(label: string, also = ""): Locator {
    return this.page.locator(`.quick-input-widget .monaco-list-row[aria-label^="${label}"]${also}`).first();
  }

  private async palette(title: string): Promise<void> {
    await this.page.keyboard.press("F1");
    await this.page.locator(".quick-input-widget input.input").fill(`>${title}`, this.soon);
    await this.row(title).click(this.soon);
  }

  /**
   * As a person does: again, when the palette or a list closed before anything was chosen. They close when focus moves, and a page
   * that comes into view takes it; and the palette lists only what was registered when it opened.
   */
  private persist(what: string, attempt: () => Promise<void>): Promise<void> {
    return this.until(what, async () => {
      try {
        await attempt();
        return { done: true };
      } catch (error) {
        if (!(error instanceof errors.TimeoutError)) throw error;
        await this.page.keyboard.press("Escape");
        return undefined;
      }
    }).then(() => undefined);
  }

  /** Resolves to the first value that is not false, null or undefined; rejects, naming `what`, when there is none in time. */
  async until<T>(what: string, look: () => Promise<T | false | null | undefined>): Promise<T> {
    const deadline = Date.now() + this.patience;
    for (;;) {
      const found = await look();
      if (found !== false && found !== null && found !== undefined) return found;
      if (Date.now() > deadline) throw new Error(`Waited ${seconds(this.patience)} for ${what}.`);
      await this.page.waitForTimeout(30);
    }
  }

  /** The page of ours (two frames down in a webview) that holds a visible element. */
  frameWith(selector: string): Promise<Frame> {
    return this.until(`a page with ${selector}`, async () => {
      for (const frame of this.page.frames()) {
        // A frame may go while it is asked.
        const found = await frame
          .locator(selector)
          .first()
          .isVisible()
          .catch(() => false);
        if (found) return frame;
      }
      return undefined;
    });
  }

  /** By the name that the list of themes shows; `kind`: the workbench's class with it. */
  async theme(name: string, kind: "vs" | "vs-dark" | "hc-black"): Promise<void> {
    await this.pick("Preferences: Color Theme", name);
    await this.page.locator(`.monaco-workbench.${kind}`).waitFor();
  }

  async screenshot(name: string): Promise<void> {
    await this.page.screenshot({ path: join(environment("MUONSCOPE_TEST_SCREENSHOTS"), `${name}.png`) });
  }

  close(): Promise<void> {
    return this.browser.close();
  }
}
