// A headless Chromium on a served VS Code, for the host and ui suites.
import { findChromium } from "./places.mjs";

/** `--no-sandbox`: tests run as root in containers; the others keep it from calling home. */
export const CHROMIUM_ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Milliseconds for the workbench, which nothing was there to compare with before. */
const OPENING_LIMIT = 300_000;

/** Opens `url` and waits for the workbench. `milliseconds`: how long that took. */
export async function openWorkbench(url) {
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({ executablePath: findChromium(), args: CHROMIUM_ARGS });
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  const begun = performance.now();
  await page.goto(url, { timeout: OPENING_LIMIT });
  await page.locator(".monaco-workbench").waitFor({ timeout: OPENING_LIMIT });
  return { browser, page, milliseconds: performance.now() - begun };
}
