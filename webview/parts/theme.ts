/** The editor's colours for canvases, which resolve no CSS variables: read when the page starts and whenever the theme changes. */

export interface Theme {
  foreground: string;
  muted: string;
  background: string;
  grid: string;
  border: string;
  error: string;
  warning: string;
  font: string;
  highContrast: boolean;
  /** The theme's chart colours, in the order in which they tell apart best. */
  palette: string[];
}

/** After the six colours of the theme come the same six with these dashes: canvas line dashes in pixels. */
const DASHES: readonly number[][] = [[], [6, 3], [2, 3], [8, 3, 2, 3]];

/** High-contrast themes have no orange of their own: one that stands out from white (5 : 1) or black (7 : 1). */
const ORANGE = { light: "#b35309", dark: "#d18616" };

function read(): Theme {
  const style = getComputedStyle(document.body);
  const color = (name: string, fallback: string) => style.getPropertyValue(name).trim() || fallback;
  const foreground = color("--vscode-foreground", style.color);
  const highContrast =
    document.body.classList.contains("vscode-high-contrast") || document.body.classList.contains("vscode-high-contrast-light");
  const light = document.body.classList.contains("vscode-light") || document.body.classList.contains("vscode-high-contrast-light");
  return {
    foreground,
    muted: highContrast ? foreground : color("--vscode-descriptionForeground", foreground),
    background: color("--vscode-editor-background", "transparent"),
    grid: mix(foreground, highContrast ? 0.3 : 0.1),
    border: color("--vscode-contrastBorder", mix(foreground, 0.25)),
    error: color("--vscode-charts-red", foreground),
    warning: color("--vscode-charts-yellow", foreground),
    font: style.getPropertyValue("--vscode-font-family").trim() || style.fontFamily,
    highContrast,
    palette: ["blue", "orange", "green", "purple", "red", "yellow"].map((name) =>
      opaque(color(`--vscode-charts-${name}`, name === "orange" ? ORANGE[light ? "light" : "dark"] : foreground)),
    ),
  };
}

/** Some themes' chart colours are half transparent (orange is that of the minimap): too faint for a line. */
const opaque = (color: string): string => `rgb(from ${color} r g b / 1)`;

/** `color` at `opacity`. */
export const mix = (color: string, opacity: number): string => `color-mix(in srgb, ${color} ${Math.round(opacity * 100)}%, transparent)`;

/** `color` drawn towards `other`: share 0 = color, 1 = other. */
export const blend = (color: string, other: string, share: number): string =>
  `color-mix(in srgb, ${color} ${Math.round((1 - share) * 100)}%, ${other})`;

/** Colour and dash of the n-th thing in a chart. */
export function slotStyle(theme: Theme, slot: number): { color: string; dash: number[] } {
  const count = theme.palette.length;
  return { color: theme.palette[slot % count]!, dash: DASHES[Math.floor(slot / count) % DASHES.length]! };
}

let current: Theme | undefined;
export const theme = (): Theme => (current ??= read());

/** Calls back after the editor's theme changed. */
export function onThemeChange(listener: () => void): void {
  new MutationObserver(() => {
    current = read();
    listener();
  }).observe(document.body, { attributes: true, attributeFilter: ["class", "data-vscode-theme-id"] });
}
