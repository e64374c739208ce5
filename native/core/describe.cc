// What the engine can be asked to do: every knob, preset, diagnostic and tap, as data.
#include "core/diagnostics/diagnostic.h"
#include "core/knobs.h"
#include "core/newton_schulz_schemes.h"

namespace muonscope {
namespace {

// Largest beta: at 1 a moment would never move and Adam's bias correction would divide by zero.
constexpr double largestBeta = 0.999999;
// Smallest eps: a positive fp32 number, so that a row of zeros stays zero and 0/0 cannot arise.
constexpr double smallestEps = 1e-30;

std::vector<std::string> schemeIds() {
  std::vector<std::string> ids;
  for (const NewtonSchulzScheme& scheme : newtonSchulzSchemes()) ids.push_back(scheme.id);
  return ids;
}

std::string schemeMeanings() {
  std::string text = "Polynomials of the Newton–Schulz iteration.";
  for (const NewtonSchulzScheme& scheme : newtonSchulzSchemes()) text += " " + scheme.id + ": " + scheme.title + ".";
  return text;
}

std::string schemeSources() {
  std::string text;
  for (const NewtonSchulzScheme& scheme : newtonSchulzSchemes()) text += (text.empty() ? "" : "; ") + scheme.id + ": " + scheme.source;
  return text;
}

// Defaults are those of the preset normuon, the paper's Algorithm 1.
std::vector<Knob> matrixKnobs() {
  return {
      {.id = "lr", .type = "number", .defaultValue = 0.01, .minimum = 0, .live = true,
       .meaning = "Learning rate of the matrices; the schedule's factor multiplies it. With scale \"paper\" the update's RMS is 0.2 times it.",
       .source = "arXiv 2510.05491 §3.1"},
      {.id = "weightDecay", .type = "number", .defaultValue = 0.1, .minimum = 0, .live = true,
       .meaning = "Decoupled decay: every step multiplies the weights by 1 - lr·weightDecay, whatever the update's scale.",
       .source = "arXiv 2510.05491 §3.1, §4.1 (0.1 on hidden matrices)"},
      {.id = "beta1", .type = "number", .defaultValue = 0.95, .minimum = 0, .maximum = largestBeta, .live = true,
       .meaning = "Decay of the momentum, an exponential moving average of gradients.", .source = "arXiv 2510.05491 §4.1.1"},
      {.id = "beta2", .type = "number", .defaultValue = 0.95, .minimum = 0, .maximum = largestBeta, .live = true,
       .meaning = "Decay of the second moment from which the normalisation divides.", .source = "arXiv 2510.05491 §4.1.1"},
      {.id = "eps", .type = "number", .defaultValue = 1e-8, .minimum = smallestEps, .live = true,
       .meaning = "Added to the root of the second moment before dividing.",
       .source = "outside the root: transcription of Algorithm 1 (zij/math/normuon), google-deepmind/optax #1651; value: microsoft/dion 0a059a4"},
      {.id = "nesterov", .type = "boolean", .defaultValue = false, .live = true,
       .meaning = "Orthogonalise (1 - beta1)·gradient + beta1·momentum instead of the momentum.",
       .source = "off: arXiv 2510.05491 Algorithm 1; on: zichongli5/NorMuon d45c9a4, KellerJordan/Muon 857d1ad"},
      {.id = "orthogonalize", .type = "boolean", .defaultValue = true, .live = true,
       .meaning = "Newton–Schulz on the momentum. Off: the raw direction, scaled to the size an orthogonal factor would have.",
       .source = "arXiv 2510.05491 §3.1, Eq. 5"},
      {.id = "newtonSchulz", .type = "enum", .defaultValue = std::string("kj5"), .choices = schemeIds(), .live = true,
       .meaning = schemeMeanings(), .source = schemeSources()},
      {.id = "normalize", .type = "boolean", .defaultValue = true, .live = true,
       .meaning = "Divide by the root of the second moment. Off: the statistic is kept up to date, so that it can be switched on again.",
       .source = "arXiv 2510.05491 Algorithm 1, lines 7 to 9"},
      {.id = "normalization", .type = "enum", .defaultValue = std::string("neuron"), .choices = {"none", "neuron", "coordinate"}, .live = false,
       .meaning = "Which second moment is kept. none: nothing, no state. neuron: one number per row (or column, see axis). coordinate: one per "
                  "weight, as in Muon+Adam.",
       .source = "arXiv 2510.05491 §3.1; coordinate: ablation in §4.1.3"},
      {.id = "normalizePlace", .type = "enum", .defaultValue = std::string("after"), .choices = {"after", "before"}, .live = false,
       .meaning = "Normalise the orthogonalised matrix (after), or the momentum before it is orthogonalised (before).",
       .source = "arXiv 2510.05491 §4.1.3, NorMuon (Front)"},
      {.id = "axis", .type = "enum", .defaultValue = std::string("rows"), .choices = {"rows", "longer"}, .live = false,
       .meaning = "What a neuron is. rows: an output neuron. longer: whichever of rows and columns there are more of (square: rows).",
       .source = "rows: arXiv 2510.05491 §3.1; longer: KellerJordan/modded-nanogpt PR #141"},
      {.id = "scale", .type = "enum", .defaultValue = std::string("paper"), .choices = {"paper", "preserve"}, .live = true,
       .meaning = "Size of the update. paper: RMS of 0.2·lr for every shape. preserve: the Frobenius norm from before the normalisation, "
                  "times √max(1, rows/columns).",
       .source = "paper: arXiv 2510.05491 Algorithm 1, line 10; preserve: zichongli5/NorMuon d45c9a4"},
      {.id = "normScope", .type = "enum", .defaultValue = std::string("global"), .choices = {"global", "local"}, .live = true,
       .meaning = "Norms in the scale. global: of the whole matrix, so that the result does not depend on the number of ranks. local: of each "
                  "rank's rows.",
       .source = "local: microsoft/dion 0a059a4"},
  };
}

std::vector<Knob> auxiliaryKnobs() {
  return {
      {.id = "lr", .type = "number", .defaultValue = 0.003, .minimum = 0, .live = true,
       .meaning = "Learning rate of embedding and head; the schedule's factor multiplies it.", .source = "arXiv 2510.05491 §4.1 (head 3e-3)"},
      {.id = "weightDecay", .type = "number", .defaultValue = 0.0, .minimum = 0, .live = true,
       .meaning = "Decoupled decay: every step multiplies the weights by 1 - lr·weightDecay.",
       .source = "arXiv 1711.05101; 0: arXiv 2510.05491 §4.1 (decay on hidden matrices only)"},
      {.id = "beta1", .type = "number", .defaultValue = 0.9, .minimum = 0, .maximum = largestBeta, .live = true,
       .meaning = "Decay of the first moment.", .source = "arXiv 2510.05491 §4.1"},
      {.id = "beta2", .type = "number", .defaultValue = 0.95, .minimum = 0, .maximum = largestBeta, .live = true,
       .meaning = "Decay of the second moment.", .source = "arXiv 2510.05491 §4.1"},
      {.id = "eps", .type = "number", .defaultValue = 1e-8, .minimum = smallestEps, .live = true,
       .meaning = "Added to the root of the second moment before dividing.", .source = "arXiv 1711.05101"},
  };
}

KnobValues with(KnobValues base, const KnobValues& changes) {
  for (const auto& [id, value] : changes) base[id] = value;
  return base;
}

std::vector<OptimizerDescription> optimizers(const std::vector<Knob>& knobs) {
  const KnobValues paper = defaultsOf(knobs);
  return {
      {.id = "normuon", .title = "NorMuon",
       .meaning = "The paper: momentum, Newton–Schulz, one second moment per neuron, update of RMS 0.2·lr.",
       .source = "arXiv 2510.05491 Algorithms 1 and 2", .defaults = paper},
      {.id = "normuon-reference", .title = "NorMuon (authors' code)",
       .meaning = "The authors' code: Nesterov momentum, and the norm from before the normalisation is kept.",
       .source = "zichongli5/NorMuon d45c9a4",
       .defaults = with(paper, {{"lr", 0.02}, {"weightDecay", 0.0}, {"nesterov", true}, {"scale", "preserve"}, {"eps", 1e-10}})},
      {.id = "normuon-speedrun", .title = "NorMuon (speedrun)",
       .meaning = "As the modded-nanogpt speedrun uses it: Polar Express, statistics along the longer axis; its cautious decay is left out.",
       .source = "KellerJordan/modded-nanogpt f411b3d (learning rate), PR #141 (axis)",
       .defaults = with(paper, {{"lr", 0.023}, {"weightDecay", 0.0}, {"nesterov", true}, {"scale", "preserve"},
                                {"newtonSchulz", "polar-express"}, {"axis", "longer"}})},
      {.id = "muon", .title = "Muon",
       .meaning = "NorMuon with the normalisation off: an update of RMS 0.2·lr. The statistic is kept, so that it can be switched on.",
       .source = "MoonshotAI/Moonlight c2ad5b2 (scale)", .defaults = with(paper, {{"lr", 0.02}, {"normalize", false}})},
      {.id = "muon-original", .title = "Muon (original)",
       .meaning = "Keller Jordan's Muon: Nesterov momentum, the orthogonal factor as it is, times √max(1, rows/columns).",
       .source = "KellerJordan/Muon 857d1ad",
       .defaults = with(paper, {{"lr", 0.02}, {"weightDecay", 0.0}, {"normalize", false}, {"nesterov", true}, {"scale", "preserve"}})},
      {.id = "adamw", .title = "AdamW", .meaning = "Adam with decoupled weight decay, for the matrices too.", .source = "arXiv 1711.05101",
       .defaults = {{"lr", 0.003}, {"weightDecay", 0.1}, {"beta1", 0.9}, {"beta2", 0.95}, {"eps", 1e-8}}},
  };
}

Description makeDescription() {
  Description description;
  description.knobs = matrixKnobs();
  description.auxiliaryKnobs = auxiliaryKnobs();
  description.optimizers = optimizers(description.knobs);
  for (const Diagnostic& diagnostic : diagnosticList()) description.diagnostics.push_back(diagnostic.description);
  description.taps = tapNames();
  return description;
}

}  // namespace

const Description& describe() {
  static const Description description = makeDescription();
  return description;
}

}  // namespace muonscope
