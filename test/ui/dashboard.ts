/** What a person sees and clicks on the dashboard of a run. */
import type { Frame, Locator } from "playwright-core";
import type { Workbench } from "./workbench";

/** By what its page is known. */
export const dashboardOf = (run: string): string => `header.run-header h1:text-is("${run}")`;

/** A number of the dashboard's header, by its name. */
export async function reading(frame: Frame, name: string): Promise<number> {
  const text = await frame.locator(`dl.numbers > div:has(dt:text-is("${name}")) dd`).innerText();
  return Number(text.split("/")[0]!.replaceAll(",", "").trim());
}

/** Resolves when the page shows a step beyond `step`; to the step it shows. A trainer makes way for others: each step has its time. */
export async function beyond(workbench: Workbench, frame: Frame, step: number): Promise<number> {
  let shown = await reading(frame, "Step");
  while (shown <= step) {
    const before = shown;
    shown = await workbench.until(`a step after ${before}`, async () => {
      const now = await reading(frame, "Step");
      return now > before && now;
    });
  }
  return shown;
}

export const button = (frame: Frame, command: string): Locator => frame.locator(`.controls [data-command="muonscope.${command}"]`);
export const status = (frame: Frame, name: string): Promise<void> => frame.locator(`.run-header .status.${name}`).waitFor();
export const chart = (frame: Frame, panel: string): Locator => frame.locator(`#${panel} [role=img]`).first();
export const normalization = (frame: Frame): Locator => frame.locator('[data-knob="normalize"] vscode-checkbox');
export const toTop = (frame: Frame): Promise<void> => frame.evaluate(() => scrollTo(0, 0));
