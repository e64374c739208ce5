/** Numbers as a person reads them: the same in tree, status bar, dashboard and terminal. */
import type { RunMemory } from "./description";

/** Four significant digits; powers of ten from 1e5 and below 1e-3; ∞ and NaN as such; – for what is not there. */
export function formatNumber(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) {
    return value
      .toExponential(Math.max(0, digits - 2))
      .replace(/\.?0+e/, "e")
      .replace("e+", "e")
      .replaceAll("-", "−");
  }
  return value.toFixed(Math.max(0, digits - 1 - Math.floor(Math.log10(size)))).replaceAll("-", "−");
}

/** As short as three digits allow: for the ticks of an axis. */
export function formatTick(value: number): string {
  const text = formatNumber(value, 3);
  return /[.]/.test(text) && !text.includes("e") ? text.replace(/\.?0+$/, "") : text;
}

/** 1,234. */
export const formatCount = (value: number): string => Math.round(value).toLocaleString("en-US");

/** 41.2k, 1.23M. */
export function formatCompact(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  for (const [unit, size] of [
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ] as const) {
    if (Math.abs(value) >= size) return formatNumber(value / size, 3) + unit;
  }
  return formatNumber(value, 3);
}

/** 0:07, 12:05, 1:02:03, 3d 4h. */
export function formatDuration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.round(seconds));
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  const two = (value: number) => String(value).padStart(2, "0");
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}:${two(minutes)}:${two(whole % 60)}`;
  return `${minutes}:${two(whole % 60)}`;
}

/** now, 5 min ago, 3 h ago, 2 d ago. */
export function formatAge(seconds: number): string {
  if (seconds < 60) return "now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

export const formatPercent = (fraction: number | null | undefined): string =>
  fraction === null || fraction === undefined ? "–" : `${formatNumber(fraction * 100, 2)} %`;

/** 61.2 MiB, 2.3 GiB. */
export function formatBytes(bytes: number): string {
  const unit = byteUnit(bytes);
  return `${(bytes / unit.size).toFixed(1)} ${unit.name}`;
}

/** GiB from one on, MiB below. */
const byteUnit = (bytes: number): { name: string; size: number } =>
  bytes >= 2 ** 30 ? { name: "GiB", size: 2 ** 30 } : { name: "MiB", size: 2 ** 20 };

/** `2.3 GiB (weights 0.5, gradients 0.5, optimizer 0.3, activations 1.0)`, and ` + 0.2 GiB on GPU 1` for each other device. */
export function formatMemory({ weights, gradients, optimizer, activations, others = [] }: Omit<RunMemory, "available">): string {
  const total = weights + gradients + optimizer + activations;
  const { size } = byteUnit(total);
  const parts = Object.entries({ weights, gradients, optimizer, activations }).map(
    ([name, bytes]) => `${name} ${(bytes / size).toFixed(1)}`,
  );
  const elsewhere = others.map(({ device, needed }) => ` + ${formatBytes(needed)} on GPU ${device}`);
  return `${formatBytes(total)} (${parts.join(", ")})${elsewhere.join("")}`;
}
