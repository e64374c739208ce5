// The variables that tell a thread of a kernel which one it is. One thread runs at a time.
#pragma once

#include "test/cuda_shim/language.h"

extern __attribute__((visibility("hidden"))) uint3 threadIdx, blockIdx;
extern __attribute__((visibility("hidden"))) dim3 blockDim, gridDim;
constexpr int warpSize = 32;
