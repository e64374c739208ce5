/** The names of matrices as a table: `blocks.3.mlp.up` is row `blocks.3`, column `mlp.up`. Other tools' names work alike. */
import { blend, mix, theme } from "./theme";

export interface MatrixPlace {
  block: string;
  kind: string;
}

/** A name without a number is a row of its own: block "". */
export function placeOf(tensor: string): MatrixPlace {
  const parts = tensor.split(".");
  const number = parts.findIndex((part) => /^\d+$/.test(part));
  if (number < 0) return { block: "", kind: tensor };
  return { block: parts.slice(0, number + 1).join("."), kind: parts.slice(number + 1).join(".") || "weight" };
}

export class MatrixTable {
  readonly blocks: string[];
  readonly kinds: string[];
  private readonly byPlace = new Map<string, string>();

  constructor(readonly tensors: readonly string[]) {
    const places = tensors.map(placeOf);
    this.blocks = [...new Set(places.map((place) => place.block))];
    this.kinds = [...new Set(places.map((place) => place.kind))];
    tensors.forEach((tensor, i) => this.byPlace.set(`${places[i]!.block}\n${places[i]!.kind}`, tensor));
  }

  at(block: string, kind: string): string | undefined {
    return this.byPlace.get(`${block}\n${kind}`);
  }

  hue(tensor: string): string {
    const { palette } = theme();
    return palette[this.kinds.indexOf(placeOf(tensor).kind) % palette.length]!;
  }

  /** The hue of the kind, towards the foreground with depth: neighbouring layers look alike, kinds do not. */
  color(tensor: string): string {
    const colors = theme();
    const { block } = placeOf(tensor);
    const hue = this.hue(tensor);
    const depth = this.blocks.length > 1 ? this.blocks.indexOf(block) / (this.blocks.length - 1) : 0;
    return depth < 0.5 ? mix(hue, 0.6 + 0.8 * depth) : blend(hue, colors.foreground, (depth - 0.5) * 0.8);
  }
}
