#include "core/matrix_settings.h"

#include <algorithm>
#include <stdexcept>

namespace muonscope {
namespace {

const NewtonSchulzScheme& schemeOf(const std::string& id) {
  const auto& schemes = newtonSchulzSchemes();
  return *std::find_if(schemes.begin(), schemes.end(), [&](const NewtonSchulzScheme& scheme) { return scheme.id == id; });
}

Normalization normalizationOf(const std::string& choice) {
  if (choice == "none") return Normalization::none;
  return choice == "neuron" ? Normalization::neuron : Normalization::coordinate;
}

}  // namespace

MatrixSettings matrixSettings(const KnobValues& values) {
  const auto number = [&](const char* id) { return std::get<double>(values.at(id)); };
  const auto boolean = [&](const char* id) { return std::get<bool>(values.at(id)); };
  const auto choice = [&](const char* id) { return std::get<std::string>(values.at(id)); };
  const MatrixSettings settings = {
      .lr = number("lr"),
      .weightDecay = number("weightDecay"),
      .beta1 = number("beta1"),
      .beta2 = number("beta2"),
      .eps = number("eps"),
      .nesterov = boolean("nesterov"),
      .orthogonalize = boolean("orthogonalize"),
      .normalize = boolean("normalize"),
      .scheme = &schemeOf(choice("newtonSchulz")),
      .normalization = normalizationOf(choice("normalization")),
      .normalizeBefore = choice("normalizePlace") == "before",
      .longerAxis = choice("axis") == "longer",
      .preserve = choice("scale") == "preserve",
      .localNorm = choice("normScope") == "local",
  };
  if (settings.normalize && settings.normalization == Normalization::none)
    throw std::invalid_argument(
        "normalize: expected false, got true: with normalization \"none\" no statistic is kept to divide by. Choose normalization "
        "\"neuron\" or \"coordinate\" when the run starts, or leave normalize false.");
  return settings;
}

}  // namespace muonscope
