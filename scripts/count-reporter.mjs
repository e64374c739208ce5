// A reporter for `node --test` that yields one JSON object at the end: how many tests passed, failed and were skipped
// (with their reasons). Containers (describe) are not counted, unless one itself failed without a failing test in it.
export default async function* countTests(events) {
  const count = { passed: 0, failed: 0, skipped: 0, reasons: [] };
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    const container = data.details?.type === "suite";
    if (type === "test:fail") {
      // "N subtests failed" has been counted with them.
      if (data.details?.error?.failureType !== "subtestsFailed") count.failed++;
    } else if (data.skip !== undefined || data.todo !== undefined) {
      count.skipped++;
      count.reasons.push(`${data.name}: ${data.skip || data.todo}`);
    } else if (!container) count.passed++;
  }
  yield JSON.stringify(count);
}
