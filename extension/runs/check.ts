/** Checks one value against what it may be; the same for run files and for orders. Pure. */
import type { Knob } from "../protocol/description";

type Range = { type: "integer" | "number"; minimum?: number; maximum?: number };

export type Rule =
  | Range
  | { type: "integers"; minimum: number; maximum: number }
  | { type: "boolean" }
  | { type: "enum"; choices: readonly string[] }
  | { type: "text" }
  | { type: "globs" };

/** Undefined when it is right, else a sentence's end: `expected an integer from 1 to 1000, received "four"`. */
export function mismatch(rule: Rule, value: unknown): string | undefined {
  return fits(rule, value) ? undefined : `expected ${expected(rule)}, received ${shown(value)}`;
}

export function knobRule(knob: Knob): Rule {
  if (knob.type === "enum") return { type: "enum", choices: knob.choices ?? [] };
  if (knob.type === "boolean") return { type: "boolean" };
  return {
    type: knob.type,
    ...(knob.minimum !== undefined && { minimum: knob.minimum }),
    ...(knob.maximum !== undefined && { maximum: knob.maximum }),
  };
}

function fits(rule: Rule, value: unknown): boolean {
  switch (rule.type) {
    case "boolean":
      return typeof value === "boolean";
    case "enum":
      return typeof value === "string" && rule.choices.includes(value);
    case "text":
      return typeof value === "string" && value.trim() !== "";
    case "globs":
      return Array.isArray(value) && value.every((glob) => typeof glob === "string" && glob !== "");
    case "integers":
      return Array.isArray(value)
        ? value.length > 0 && new Set(value).size === value.length && value.every((each) => fits({ ...rule, type: "integer" }, each))
        : fits({ ...rule, type: "integer" }, value);
    default:
      if (typeof value !== "number" || !Number.isFinite(value)) return false;
      if (rule.type === "integer" && !Number.isInteger(value)) return false;
      return value >= (rule.minimum ?? -Infinity) && value <= (rule.maximum ?? Infinity);
  }
}

function expected(rule: Rule): string {
  switch (rule.type) {
    case "boolean":
      return "true or false";
    case "enum":
      return rule.choices.map((choice) => JSON.stringify(choice)).join(" or ");
    case "text":
      return "a text";
    case "globs":
      return "a list of globs";
    case "integers":
      return `${expected({ ...rule, type: "integer" })} or a list of different ones`;
    default: {
      const what = rule.type === "integer" ? "an integer" : "a number";
      const { minimum, maximum } = rule;
      if (minimum !== undefined && maximum !== undefined) return `${what} from ${minimum} to ${maximum}`;
      if (minimum !== undefined) return `${what} of at least ${minimum}`;
      return maximum === undefined ? what : `${what} of at most ${maximum}`;
    }
  }
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
};
