#include "core/newton_schulz_schemes.h"

namespace muonscope {

const std::vector<NewtonSchulzScheme>& newtonSchulzSchemes() {
  static const std::vector<NewtonSchulzScheme> schemes = {
      {"kj5", "Keller Jordan's five steps", "KellerJordan/Muon 857d1ad", 1.0,
       std::vector<NewtonSchulzStep>(5, {3.4445, -4.7750, 2.0315})},
      // The set with safety 2e-2 and cushion 2: beyond 1.022 the chain leaves its bound, hence the division by 1.02.
      {"polar-express", "Polar Express, five steps", "arXiv 2505.16932; KellerJordan/modded-nanogpt f411b3d", 1.02,
       {{8.156554524902461, -22.48329292557795, 15.878769915207462},
        {4.042929935166739, -2.808917465908714, 0.5000178451051316},
        {3.8916678022926607, -2.772484153217685, 0.5060648178503393},
        {3.285753657755655, -2.3681294933425376, 0.46449024233003106},
        {2.3465413258596377, -1.7097828382687081, 0.42323551169305323}}},
      {"classical12", "the classical quintic, twelve steps", "NorMuon's authors' entry to modded-nanogpt track 3 (PR #276)", 1.0,
       std::vector<NewtonSchulzStep>(12, {2.0, -1.5, 0.5})},
      {"quintic5", "leloykun's five quintic steps", "Dao-AILab/gram-newton-schulz f08f25e (YOU); microsoft/dion 0a059a4", 1.0,
       {{4.0848, -6.8946, 2.9270},
        {3.9505, -6.3029, 2.6377},
        {3.7418, -5.5913, 2.3037},
        {2.8769, -3.1427, 1.2046},
        {2.8366, -3.0525, 1.2012}}},
  };
  return schemes;
}

}  // namespace muonscope
