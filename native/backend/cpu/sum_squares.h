// The sum of squares that sums and statistics are made of.
#pragma once

#include <cstdint>

namespace muonscope {

// In fp64, in an order that depends on n alone.
double sumSquaresPart(const float* x, int64_t n);

}  // namespace muonscope
