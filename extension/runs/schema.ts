/** The JSON schema of run files, made from the settings and from what the engine says of itself. Pure. */
import type { EngineDescription, Knob } from "../protocol/description";
import { knobRule, type Rule } from "./check";
import { DEFAULT_PRESET, SECTIONS, SETTINGS } from "./settings";

type Schema = Record<string, unknown>;

export function makeSchema(description: EngineDescription): Schema {
  const top: Schema = {
    description: { type: "string", description: "What this run is for, in a line: shown where a run file is chosen." },
    $schema: { type: "string" },
  };
  const sections: Record<string, Schema> = Object.fromEntries(Object.keys(SECTIONS).map((section) => [section, {}]));
  for (const setting of SETTINGS) {
    const [section, name] = setting.path.split(".") as [string, string | undefined];
    const schema = {
      ...ruleSchema(setting),
      ...(setting.default !== undefined && { default: setting.default }),
      description: setting.meaning,
    };
    if (name === undefined) top[section] = schema;
    else sections[section]![name] = schema;
  }
  sections["optimizer"] = {
    preset: presetSchema(description),
    ...sections["optimizer"],
    ...knobSchemas(description.knobs),
  };
  sections["auxiliary"] = knobSchemas(description.auxiliaryKnobs);
  sections["diagnostics"]!["channels"] = channelsSchema(description);
  for (const [section, meaning] of Object.entries(SECTIONS)) {
    const required = SETTINGS.filter((setting) => setting.type === "globs" && setting.default === undefined)
      .map((setting) => setting.path.split("."))
      .filter(([of]) => of === section)
      .map(([, name]) => name);
    top[section] = {
      type: "object",
      description: meaning,
      properties: sections[section],
      additionalProperties: false,
      ...(required.length > 0 && { required }),
    };
  }
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Muonscope run",
    type: "object",
    properties: top,
    required: ["data"],
    additionalProperties: false,
  };
}

function ruleSchema(rule: Rule): Schema {
  switch (rule.type) {
    case "boolean":
      return { type: "boolean" };
    case "enum":
      return { enum: rule.choices };
    case "text":
      return { type: "string", minLength: 1 };
    case "globs":
      return { type: "array", items: { type: "string", minLength: 1 } };
    case "integers": {
      const one = ruleSchema({ ...rule, type: "integer" });
      return { anyOf: [one, { type: "array", items: one, minItems: 1, uniqueItems: true }] };
    }
    default:
      return {
        type: rule.type,
        ...(rule.minimum !== undefined && { minimum: rule.minimum }),
        ...(rule.maximum !== undefined && { maximum: rule.maximum }),
      };
  }
}

function presetSchema({ optimizers }: EngineDescription): Schema {
  return {
    enum: optimizers.map((optimizer) => optimizer.id),
    enumDescriptions: optimizers.map(({ title, meaning, source }) => `${title}: ${meaning} (${source})`),
    default: DEFAULT_PRESET,
    description: "Sets every knob that is not given here.",
  };
}

function knobSchemas(knobs: Knob[]): Schema {
  return Object.fromEntries(
    knobs.map((knob) => {
      const live = knob.live ? " May change during a run." : "";
      return [
        knob.id,
        { ...ruleSchema(knobRule(knob)), default: knob.default, description: `${knob.meaning}${live} Source: ${knob.source}.` },
      ];
    }),
  );
}

function channelsSchema({ diagnostics }: EngineDescription): Schema {
  return {
    type: "object",
    description: "What is measured, and at which taps. Without it, every diagnostic at its usual taps.",
    additionalProperties: false,
    properties: Object.fromEntries(
      diagnostics.map(({ id, title, meaning, taps, defaultTaps }) => [
        id,
        { type: "array", items: { enum: taps }, uniqueItems: true, default: defaultTaps, description: `${title}. ${meaning}` },
      ]),
    ),
  };
}
