/**
 * What a page watches, as data messages: only what changed since the last one, reduced to the pixels that show it.
 * Knows neither VS Code nor files, so that the same code feeds a page in a test.
 */
import type {
  DataMessage,
  ProfileData,
  ProfileRequest,
  SeriesData,
  SeriesRequest,
  Snapshot,
  SnapshotData,
  SnapshotRequest,
  WatchMessage,
} from "../protocol/panels";
import type { Series } from "../protocol/series";
import { matrixTag, parseMatrixTag } from "../protocol/tags";
import { atOrBefore, trainingSeconds } from "../runs/compare";
import { downsample } from "../runs/downsample";
import type { RunReader } from "../runs/runFolder";

/** The part of a reader that data comes from. */
export type Source = Pick<RunReader, "series" | "histogramSteps" | "histogram" | "vectorSteps" | "vector" | "tags" | "events">;

export class Feed {
  private watched: WatchMessage = { type: "watch", series: [], snapshots: [], profiles: [] };
  /** What each request was last answered with, as a short text; by request and run. */
  private readonly sent = new Map<string, string>();
  /** The request at which `collect` stopped; 0 where it did not. */
  private next = 0;

  /** `runs`: those of the page, in its order. */
  constructor(private readonly runs: () => readonly Source[]) {}

  /** Replaces what is watched. What was already answered is not sent again. */
  watch(message: WatchMessage): void {
    this.watched = message;
    const keys = new Set([...message.series, ...message.snapshots, ...message.profiles].map((request) => JSON.stringify(request)));
    for (const key of this.sent.keys()) if (!keys.has(key.slice(key.indexOf(" ") + 1))) this.sent.delete(key);
  }

  /** A new page, or other runs: everything is news. */
  reset(): void {
    this.sent.clear();
  }

  /** `collect` left something for the next time. */
  get unfinished(): boolean {
    return this.next > 0;
  }

  /** What is new, as much as there is time for: `spent` says when there is none left. Undefined: nothing new. */
  collect(spent: () => boolean = () => false): DataMessage | undefined {
    const message: DataMessage = { type: "data", series: [], snapshots: [], profiles: [] };
    const looks = this.runs().flatMap((source, run) => this.looksAt(source, run, message));
    // Where it stopped: of a run that grows all the time, the first would be new each time.
    const begin = this.next < looks.length ? this.next : 0;
    this.next = 0;
    const full = (): boolean => message.series.length + message.snapshots.length + message.profiles.length > 0;
    for (let i = 0; i < looks.length; i++) {
      const index = (begin + i) % looks.length;
      // Never without anything new: who gets nothing would not ask again.
      if (full() && spent()) {
        this.next = index || looks.length;
        break;
      }
      looks[index]!();
    }
    return full() ? message : undefined;
  }

  /** One for each request: puts what is new into the message. */
  private looksAt(source: Source, run: number, { series, snapshots, profiles }: DataMessage): (() => void)[] {
    return [
      ...this.watched.series.map((request) => () => {
        const data = this.news(run, request, seriesVersion(source, request.tag), () => seriesData(source, run, request));
        if (data) series.push(data);
      }),
      ...this.watched.snapshots.map((request) => () => {
        const data = this.news(run, request, snapshotVersion(source, request), () => snapshotData(source, run, request));
        if (data) snapshots.push(data);
      }),
      ...this.watched.profiles.map((request) => () => {
        const tags = profileTags(source, request);
        const version = tags.map((tag) => seriesVersion(source, tag)).join();
        const data = this.news(run, request, version, () => profileData(source, run, request, tags));
        if (data) profiles.push(data);
      }),
    ];
  }

  private news<Data>(run: number, request: object, version: string, make: () => Data | undefined): Data | undefined {
    const key = `${run} ${JSON.stringify(request)}`;
    if (this.sent.get(key) === version) return undefined;
    this.sent.set(key, version);
    return make();
  }
}

/** Changes whenever a series does: it only grows, or loses its end to a restart that then writes other times. */
function seriesVersion(source: Source, tag: string): string {
  const series = source.series(tag);
  return series ? `${series.steps.length}/${series.times.at(-1)}` : "";
}

function seriesData(source: Source, run: number, request: SeriesRequest): SeriesData | undefined {
  const { panel, tag, axis, range, width, smoothing } = request;
  const series = source.series(tag);
  if (!series) return undefined;
  const placed: Series = axis === "step" ? series : { ...series, steps: trainingSeconds(series.times, source.events) };
  const reduce = (values: Float64Array) => {
    const { steps: x, values: y } = downsample({ ...placed, values }, range ?? undefined, width);
    return { x, y };
  };
  return { panel, run, tag, axis, ...reduce(series.values), smooth: smoothing > 0 ? reduce(smooth(series.values, smoothing)) : null };
}

/**
 * Exponential moving average with the bias of its start corrected, as in Adam (arXiv 1412.6980 §3). A value that is not
 * finite is shown by the raw line and leaves the average as it was.
 */
export function smooth(values: Float64Array, weight: number): Float64Array {
  let average = 0;
  let total = 0;
  return values.map((value) => {
    if (Number.isFinite(value)) {
      average = weight * average + (1 - weight) * value;
      total = weight * total + (1 - weight);
    }
    return total > 0 ? average / total : NaN;
  });
}

const snapshotSteps = (source: Source, tag: string): Float64Array => {
  const steps = source.histogramSteps(tag);
  return steps.length > 0 ? steps : source.vectorSteps(tag);
};

function snapshotVersion(source: Source, { tag, step }: SnapshotRequest): string {
  const steps = snapshotSteps(source, tag);
  return steps.length > 0 ? `${steps.length}/${steps.at(-1)}/${step}` : "";
}

function snapshotData(source: Source, run: number, { panel, tag, step }: SnapshotRequest): SnapshotData {
  const value = snapshotAt(source, tag, step ?? Infinity);
  return { panel, run, tag, steps: snapshotSteps(source, tag).slice(), value, readings: value ? readingsAt(source, tag, value.step) : {} };
}

function snapshotAt(source: Source, tag: string, step: number): Snapshot | null {
  const histogram = source.histogram(tag, step);
  if (histogram)
    return {
      step: histogram.step,
      shape: "histogram",
      edges: histogram.edges.slice(),
      counts: histogram.counts.slice(),
      count: histogram.count,
    };
  const vector = source.vector(tag, step);
  return vector ? { step: vector.step, shape: "vector", values: vector.values.slice() } : null;
}

/** The scalars derived from a histogram: `neuron_norm` → `neuron_norm_cv`, `neuron_norm_p5`, … at the same place. */
function readingsAt(source: Source, tag: string, step: number): Record<string, number> {
  const place = parseMatrixTag(tag);
  if (!place) return {};
  const readings: Record<string, number> = {};
  const prefix = `${place.channel}_`;
  for (const other of source.tags("scalar")) {
    if (!other.startsWith(prefix)) continue;
    const derived = parseMatrixTag(other);
    if (!derived?.channel.startsWith(prefix) || derived.tap !== place.tap || derived.tensor !== place.tensor) continue;
    const series = source.series(other);
    const at = series && atOrBefore(series.steps, step);
    if (at !== undefined) readings[derived.channel.slice(place.channel.length + 1)] = series!.values[at]!;
  }
  return readings;
}

const profilePrefix = ({ channel, tap }: ProfileRequest): string => matrixTag(channel, tap, "");

const profileTags = (source: Source, request: ProfileRequest): string[] => {
  const prefix = profilePrefix(request);
  return source.tags("scalar").filter((tag) => tag.startsWith(prefix));
};

function profileData(source: Source, run: number, request: ProfileRequest, tags: string[]): ProfileData {
  const { panel, channel, tap, step } = request;
  const prefix = profilePrefix(request);
  const steps = new Set<number>();
  const values = tags.map((tag) => {
    const series = source.series(tag)!;
    for (const measured of series.steps) steps.add(measured);
    const at = atOrBefore(series.steps, step ?? Infinity);
    return at === undefined ? NaN : series.values[at]!;
  });
  return {
    panel,
    run,
    channel,
    tap,
    tensors: tags.map((tag) => tag.slice(prefix.length)),
    values: Float64Array.from(values),
    steps: Float64Array.from(steps).sort(),
  };
}
