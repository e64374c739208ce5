// Knobs are data: what the engine can be asked to do, in one list from which the run file's schema, the
// controls, the validation of orders and the documentation are made.
#pragma once

#include <limits>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace muonscope {

using KnobValue = std::variant<bool, double, std::string>;
using KnobValues = std::map<std::string, KnobValue>;

struct Knob {
  std::string id;
  std::string type;  // "number" | "integer" | "boolean" | "enum"
  KnobValue defaultValue;
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices = {};  // of an enum
  bool live;                         // may change during a run
  std::string meaning;
  std::string source;                // paper section or repository
};

struct OptimizerDescription {
  std::string id;  // preset: adamw, muon, muon-original, normuon, normuon-reference, normuon-speedrun
  std::string title;
  std::string meaning;
  std::string source;
  KnobValues defaults;  // a value for every knob that applies; setting another one is refused
};

struct DiagnosticDescription {
  std::string id;     // telemetry channel: condition_number, neuron_norm, …
  std::string title;
  std::string shape;  // "scalar" | "histogram" | "vector", per matrix
  std::string unit;
  std::vector<std::string> taps;         // where it makes sense
  std::vector<std::string> defaultTaps;  // where it is measured unless asked otherwise
  bool logarithmic;                      // draw on a log axis
  std::string meaning;
  std::string source;
};

struct Description {
  std::vector<Knob> knobs;           // of the matrix optimizer
  std::vector<Knob> auxiliaryKnobs;  // of the AdamW for embedding and head
  std::vector<OptimizerDescription> optimizers;
  std::vector<DiagnosticDescription> diagnostics;
  std::vector<std::string> taps;
};

const Description& describe();

// The functions below throw std::invalid_argument with what was expected, what came and, for a name, the nearest known one.
void validateKnob(const Knob& knob, const KnobValue& value);
const Knob& findKnob(const std::vector<Knob>& knobs, const std::string& id);
const OptimizerDescription& findOptimizer(const std::string& id);

// `base` with `overrides` in place, each of them known, in range and applicable (present in `base`).
// `what` names the base in errors ("optimizer adamw").
KnobValues mergeKnobs(const std::vector<Knob>& knobs, const KnobValues& base, const KnobValues& overrides, const std::string& what);
// The default of every knob.
KnobValues defaultsOf(const std::vector<Knob>& knobs);

// The candidate with the smallest edit distance to `name`; `candidates` is not empty.
std::string nearestName(const std::string& name, const std::vector<std::string>& candidates);

}  // namespace muonscope
