// The epsilon of every RMS normalisation.
#pragma once

#include <limits>

namespace muonscope {

// What torch.nn.functional.rms_norm adds to the mean square when eps is None: the machine epsilon of fp32 (1.19e-7).
inline constexpr float kRmsEpsilon = std::numeric_limits<float>::epsilon();

}  // namespace muonscope
