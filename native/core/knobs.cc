// Checking knob values and finding names: the sentences that a user reads when a run file or an order is wrong.
#include "core/knobs.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <stdexcept>

namespace muonscope {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}

std::string show(const KnobValue& value) {
  if (const bool* b = std::get_if<bool>(&value)) return *b ? "true" : "false";
  if (const double* d = std::get_if<double>(&value)) return number(*d);
  return '"' + std::get<std::string>(value) + '"';
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) text += (i == 0 ? "" : ", ") + words[i];
  return text;
}

std::string range(const Knob& knob) {
  const std::string kind = knob.type == "integer" ? "a whole number" : "a number";
  if (std::isfinite(knob.minimum) && std::isfinite(knob.maximum))
    return kind + " from " + number(knob.minimum) + " to " + number(knob.maximum);
  if (std::isfinite(knob.minimum)) return kind + " of at least " + number(knob.minimum);
  return kind;
}

[[noreturn]] void refuse(const Knob& knob, const std::string& expected, const KnobValue& value) {
  throw std::invalid_argument(knob.id + ": expected " + expected + ", got " + show(value) + ".");
}

[[noreturn]] void unknown(const std::string& kind, const std::string& name, const std::vector<std::string>& known) {
  throw std::invalid_argument("Unknown " + kind + " \"" + name + "\": did you mean \"" + nearestName(name, known) +
                              "\"? Known: " + join(known) + ".");
}

// Levenshtein distance.
size_t editDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string nearestName(const std::string& name, const std::vector<std::string>& candidates) {
  return *std::min_element(candidates.begin(), candidates.end(), [&](const std::string& a, const std::string& b) {
    return editDistance(name, a) < editDistance(name, b);
  });
}

void validateKnob(const Knob& knob, const KnobValue& value) {
  if (knob.type == "boolean") {
    if (!std::holds_alternative<bool>(value)) refuse(knob, "true or false", value);
  } else if (knob.type == "enum") {
    const std::string* text = std::get_if<std::string>(&value);
    if (!text) refuse(knob, "one of " + join(knob.choices), value);
    if (std::find(knob.choices.begin(), knob.choices.end(), *text) == knob.choices.end())
      throw std::invalid_argument(knob.id + ": expected one of " + join(knob.choices) + ", got \"" + *text + "\"; did you mean \"" +
                                  nearestName(*text, knob.choices) + "\"?");
  } else {
    const double* x = std::get_if<double>(&value);
    if (!x || !std::isfinite(*x) || *x < knob.minimum || *x > knob.maximum) refuse(knob, range(knob), value);
    if (knob.type == "integer" && *x != std::floor(*x)) refuse(knob, range(knob), value);
  }
}

const Knob& findKnob(const std::vector<Knob>& knobs, const std::string& id) {
  std::vector<std::string> known;
  for (const Knob& knob : knobs) {
    if (knob.id == id) return knob;
    known.push_back(knob.id);
  }
  unknown("knob", id, known);
}

const OptimizerDescription& findOptimizer(const std::string& id) {
  std::vector<std::string> known;
  for (const OptimizerDescription& optimizer : describe().optimizers) {
    if (optimizer.id == id) return optimizer;
    known.push_back(optimizer.id);
  }
  unknown("optimizer", id, known);
}

KnobValues mergeKnobs(const std::vector<Knob>& knobs, const KnobValues& base, const KnobValues& overrides, const std::string& what) {
  KnobValues merged = base;
  for (const auto& [id, value] : overrides) {
    const Knob& knob = findKnob(knobs, id);
    const auto place = merged.find(id);
    if (place == merged.end()) {
      std::vector<std::string> applicable;
      for (const auto& entry : base) applicable.push_back(entry.first);
      throw std::invalid_argument("Knob \"" + id + "\" does not apply to " + what + ", which has " + join(applicable) +
                                  ": leave it out or choose another optimizer.");
    }
    validateKnob(knob, value);
    place->second = value;
  }
  return merged;
}

KnobValues defaultsOf(const std::vector<Knob>& knobs) {
  KnobValues values;
  for (const Knob& knob : knobs) values[knob.id] = knob.defaultValue;
  return values;
}

}  // namespace muonscope
