/** The tests that run anywhere over a stand-in, on the real device: those of the engine's parts, the golden file, the whole engine. */
import { existsSync } from "node:fs";
import { cutOff, type Part } from "./part";
import { beside, ending, lastLines, run, withLibraries } from "./processes";

export async function nativeTests(part: Part): Promise<void> {
  const { report } = part;
  const what = "tests of the engine's parts";
  const limit = part.left();
  let [passed, failed] = [0, 0];
  let latest = "none";
  let open: { name: string; error: string } | undefined;
  const close = (): void => {
    if (open) report.fail(open.name, open.error);
    open = undefined;
  };
  const env = { ...withLibraries(), MUONSCOPE_TEST_DEVICE: "cuda" };
  const ended = await run(beside("muonscope_tests"), ["[cuda "], {
    limit,
    env,
    onLine: (line) => {
      const [, verdict, name] = /^(ok {2}|FAIL) {2}(.*)$/.exec(line) ?? [];
      if (name === undefined) {
        if (open && line.startsWith("      ")) open.error += `${open.error && "\n"}${line.trim()}`;
        return;
      }
      close();
      latest = name;
      if (verdict === "FAIL") {
        failed++;
        open = { name, error: "" };
      } else passed++;
    },
  });
  close();
  if (passed > 0) report.pass(`${what}: ${passed} passed, ${failed} failed`, passed);
  if (ended.late) return cutOff(part, `${what}, after "${latest}"`, limit);
  const [, all, bad] = /^(\d+) passed, (\d+) failed$/m.exec(ended.output) ?? [];
  if (all === undefined || (passed === 0 && failed === 0))
    return report.fail(what, `ended with ${ending(ended)} after "${latest}"\n${lastLines(ended.output, 5)}`);
  if (Number(all) !== passed || Number(bad) !== failed) report.fail(what, `counted ${all} and ${bad}, printed ${passed} and ${failed}`);
}

export async function goldenCases(part: Part): Promise<void> {
  const { report } = part;
  const what = "golden trajectories";
  const file = beside("trajectories.safetensors");
  if (!existsSync(file))
    return report.skip(what, "there was no file of them when this folder was put together (MUONSCOPE_GOLDEN names one)");
  const limit = part.left();
  const ended = await run(process.execPath, [beside("golden.js"), file, "cuda"], { limit });
  if (ended.late) return cutOff(part, what, limit);
  const cases = ended.output.match(/^cuda +\S+ +(?:\d\.\d+e[-+]\d+|NaN|Infinity)/gm) ?? [];
  if (ended.code === 0 && cases.length > 0) return report.pass(`${what}: ${lastLines(ended.output, 1)}`, cases.length);
  report.fail(what, `${ending(ended)}, ${cases.length} cases\n${lastLines(ended.output, 60)}`);
}

export async function engineTests(part: Part): Promise<void> {
  const { report } = part;
  const what = "the engine through the addon";
  const limit = part.left();
  const ended = await run(process.execPath, ["--test", "--test-reporter=spec", beside("engine.test.js")], { limit });
  if (ended.late) return cutOff(part, what, limit);
  const number = (of: string): number => Number(new RegExp(`^\\S+ ${of} (\\d+)$`, "m").exec(ended.output)?.[1] ?? 0);
  const [passed, failed, skipped] = [number("pass"), number("fail"), number("skipped")];
  if (passed > 0) report.pass(`${what}: ${passed} passed, ${failed} failed`, passed);
  if (skipped > 0) report.skip(what, `${skipped} of its tests`);
  if (failed > 0 || ended.code !== 0 || passed === 0) report.fail(what, `${ending(ended)}\n${lastLines(ended.output, 80)}`);
}
