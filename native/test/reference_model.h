// The model once more, in double precision and as plainly as possible: what the engine's forward pass is compared
// with, and what central differences are taken of.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/model.h"

namespace muonscope::test {

using Values = std::vector<double>;

// Rows of x [rows, cols] divided by the root of their mean square plus fp32's epsilon.
Values referenceRmsNorm(const Values& x, int64_t rows, int64_t cols);

// qkv [B·T, 3C] → [B·T, C], as Backend::attention.
Values referenceAttention(const Values& qkv, int64_t batch, int64_t time, int64_t heads, int64_t headDim);

// Mean negative log-likelihood of `targets` under softmax(logits [rows, cols]).
double referenceCrossEntropy(const Values& logits, const std::vector<int32_t>& targets, int64_t rows, int64_t cols);

// Loss of the whole model; weights by parameter name.
double referenceLoss(const ModelConfig& config, int64_t batch, const std::map<std::string, Values>& weights,
                     const std::vector<int32_t>& tokens);

}  // namespace muonscope::test
