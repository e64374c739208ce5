// All diagnostics: one line each, naming the function that makes it (in a file of its own in this folder).
#include "core/diagnostics/diagnostic.h"

#define MUONSCOPE_DIAGNOSTICS(X) \
  X(conditionNumber)             \
  X(neuronNorm)                  \
  X(neuronNormCv)                \
  X(neuronNormMaxMin)            \
  X(neuronNormP5)                \
  X(neuronNormP50)               \
  X(neuronNormP95)               \
  X(updateRms)                   \
  X(orthogonalityError)          \
  X(stableRank)                  \
  X(spectrum)

namespace muonscope {

#define MUONSCOPE_DECLARE(name) Diagnostic name();
MUONSCOPE_DIAGNOSTICS(MUONSCOPE_DECLARE)

const std::vector<Diagnostic>& diagnosticList() {
#define MUONSCOPE_MAKE(name) name(),
  static const std::vector<Diagnostic> list = {MUONSCOPE_DIAGNOSTICS(MUONSCOPE_MAKE)};
  return list;
}

}  // namespace muonscope
