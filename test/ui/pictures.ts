/**
 * The pictures of the README, taken of the real thing: a run of examples/quickstart.muonscope.json, whose normalisation is switched off
 * and on again while it goes on. Environment: that of workbench.ts, with the examples as the workspace.
 */
import { beyond, button, dashboardOf, normalization, status, toTop } from "./dashboard";
import { Workbench } from "./workbench";

/** Steps of the run at which something is done, for all of it to be in sight. */
const AT = { off: 240, on: 480, end: 760 };

async function main(): Promise<void> {
  const workbench = await Workbench.open();
  try {
    await workbench.page.setViewportSize({ width: 1080, height: 1000 });
    await workbench.command("View: Toggle Primary Side Bar Visibility");
    await workbench.pick("Muonscope: Start Training Run…", "quickstart.muonscope.json");
    const frame = await workbench.frameWith(dashboardOf("quickstart"));
    await status(frame, "running");
    for (const step of [AT.off, AT.on]) {
      await beyond(workbench, frame, step);
      await normalization(frame).click();
    }
    await beyond(workbench, frame, AT.end);
    await button(frame, "pauseRun").click();
    await status(frame, "paused");
    // A reader sees the curves, not where a mouse was.
    await workbench.page.mouse.move(0, 0);
    await workbench.screenshot("dashboard-light");
    await workbench.theme("Dark Modern", "vs-dark");
    await workbench.page.locator(".quick-input-widget").waitFor({ state: "hidden" });
    await workbench.page.waitForFunction(() => document.getAnimations().every(({ playState }) => playState !== "running"));
    await toTop(frame);
    await workbench.screenshot("dashboard-dark");
    await button(frame, "stopRun").click();
    await status(frame, "stopped");
  } finally {
    await workbench.close();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
