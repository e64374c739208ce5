// Matrix instructions of a warp (PTX ISA: "Matrix Fragments for mma.m16n8k16 with floating point type", "ldmatrix").
#pragma once

#include <cstdint>
#include <source_location>

namespace cudaShim {

void multiplyFragments(float* d, const uint32_t* a, const uint32_t* b, std::source_location where);
void loadFragments(uint32_t* r, const void* row, bool transposed, std::source_location where);

}  // namespace cudaShim
