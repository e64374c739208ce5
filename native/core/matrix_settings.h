// The matrix optimizer's knobs, resolved for one parameter.
#pragma once

#include "core/knobs.h"
#include "core/newton_schulz_schemes.h"

namespace muonscope {

enum class Normalization { none, neuron, coordinate };

struct MatrixSettings {
  double lr, weightDecay, beta1, beta2, eps;
  bool nesterov, orthogonalize, normalize;
  const NewtonSchulzScheme* scheme;
  Normalization normalization;
  bool normalizeBefore;  // else after
  bool longerAxis;       // else rows
  bool preserve;         // else paper
  bool localNorm;        // else global
  bool operator==(const MatrixSettings&) const = default;
};

// From a complete set of values. Throws std::invalid_argument when they contradict each other.
MatrixSettings matrixSettings(const KnobValues& values);

}  // namespace muonscope
