/** When what is measured, also where it is known later than the step at which it was shown, as on a GPU. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { order } from "../../extension/runs/order";
import { until } from "./folders";
import { begin, eventOf, read } from "./runs";

const TAGS = ["blocks.0.mlp.up", "blocks.1.mlp.up"].map((tensor) => `condition_number/update/${tensor}`);

describe("measuring", () => {
  it("measures everything at first, and later within its budget", async (t) => {
    const requests: number[] = [];
    const { done } = await begin(
      t,
      { steps: 400, diagnostics: { budget: 0.05 } },
      { onStep: (_, { measure }) => void requests.push(measure.length) },
    );
    await done;
    assert.equal(requests[0], 4, "two diagnostics of two matrices");
    assert.ok(
      requests.slice(1).every((count) => count === 0 || count === 2),
      "a matrix at a time",
    );
    // A step of the fake takes 20 ms, a value 1 ms: at 5 % there is one value a step, which is a matrix every other.
    const values = requests.slice(1).reduce((sum, count) => sum + count, 0);
    assert.ok(values > 390 && values < 402, `${values} values in 399 steps`);
  });
});

describe("measurements that are known later", () => {
  it("are logged with the step at which they were made, and none is lost at the end", async (t) => {
    const asked = new Map<string, number[]>(TAGS.map((tag) => [tag, []]));
    const { folder, done } = await begin(
      t,
      { steps: 60, diagnostics: { budget: 1 } },
      {
        late: true,
        onStep: (step, { measure }) => {
          for (const { channel, tap, tensor } of measure) asked.get(`${channel}/${tap}/${tensor}`)?.push(step);
          return undefined;
        },
      },
    );
    await done;
    const reader = await read(folder);
    for (const [tag, steps] of asked) {
      assert.ok(steps.length > 3, `${tag}: ${steps.length}`);
      assert.deepEqual([...reader.series(tag)!.steps], steps);
    }
  });

  it("nothing more is asked for until they are known, but for what was ordered", async (t) => {
    const counts: number[] = [];
    const { done } = await begin(
      t,
      { steps: 30, diagnostics: { budget: 1 } },
      { late: true, onStep: (_, { measure }) => void counts.push(measure.length) },
    );
    await done;
    assert.equal(counts[0], 4, "everything");
    counts.slice(1).forEach((count, i) => assert.ok(count === 0 || counts[i] === 0, `steps ${i + 1} and ${i + 2}: ${counts[i]}, ${count}`));
    assert.ok(counts.slice(1).some((count) => count > 0));
  });

  it("come while the run is paused", async (t) => {
    const running = await begin(t, { steps: 1000, diagnostics: { budget: 0.001 } }, { late: true, milliseconds: 2 });
    try {
      await order(running.folder, { do: "pause" });
      const { step } = await eventOf(running, "paused");
      await order(running.folder, { do: "measure" });
      await order(running.folder, { do: "step" });
      const made = async (): Promise<number[]> => [...((await read(running.folder)).series(TAGS[0]!)?.steps ?? [])];
      await until("its measurements", async () => (await made()).includes(step + 1));
      assert.equal((await read(running.folder)).state().status, "paused", "no further step was made");
    } finally {
      await order(running.folder, { do: "stop" });
      await running.done;
    }
  });
});
