// Fragments are put together to whole matrices, multiplied, and taken apart again.
#include "test/cuda_shim/tensor_core.h"

#include <bit>
#include <cstring>

#include "test/cuda_shim/scheduler.h"

namespace cudaShim {

namespace {

constexpr unsigned allLanes = 0xffffffffu;

struct Product {
  float* d;
  const uint32_t *a, *b;
};

// Of a pair of bf16 in a register, the one with the lower index is in the lower half.
float low(uint32_t pair) { return std::bit_cast<float>(pair << 16); }
float high(uint32_t pair) { return std::bit_cast<float>(pair & 0xffff0000u); }

void multiply(void* const* slots, unsigned) {
  float a[16][16], b[16][8], d[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const Product& p = *static_cast<const Product*>(slots[lane]);
    const int group = lane / 4, pair = lane % 4;
    // a0,a1 and a4,a5: row group; a2,a3 and a6,a7: row group + 8; columns from 2·pair for a0 … a3 and 8 further for a4 … a7.
    for (int i = 0; i < 4; ++i) {
      const int row = group + (i % 2) * 8, column = pair * 2 + (i / 2) * 8;
      a[row][column] = low(p.a[i]);
      a[row][column + 1] = high(p.a[i]);
    }
    // b0,b1: rows from 2·pair; b2,b3: 8 further; column group.
    for (int i = 0; i < 2; ++i) {
      b[pair * 2 + i * 8][group] = low(p.b[i]);
      b[pair * 2 + i * 8 + 1][group] = high(p.b[i]);
    }
    // c0,c1: row group; c2,c3: row group + 8; columns from 2·pair.
    for (int i = 0; i < 4; ++i) d[group + (i / 2) * 8][pair * 2 + i % 2] = p.d[i];
  }
  for (int i = 0; i < 16; ++i)
    for (int k = 0; k < 16; ++k)
      for (int j = 0; j < 8; ++j) d[i][j] += a[i][k] * b[k][j];
  for (int lane = 0; lane < 32; ++lane) {
    float* out = static_cast<const Product*>(slots[lane])->d;
    for (int i = 0; i < 4; ++i) out[i] = d[lane / 4 + (i / 2) * 8][lane % 4 * 2 + i % 2];
  }
}

struct Load {
  uint32_t* r;
  const void* row;
};

template <bool transposed>
void load(void* const* slots, unsigned) {
  uint16_t matrix[8][8];
  for (int m = 0; m < 4; ++m) {
    for (int row = 0; row < 8; ++row) std::memcpy(matrix[row], static_cast<const Load*>(slots[8 * m + row])->row, sizeof matrix[row]);
    for (int lane = 0; lane < 32; ++lane) {
      const int row = lane / 4, column = lane % 4 * 2;
      const uint32_t first = transposed ? matrix[column][row] : matrix[row][column];
      const uint32_t second = transposed ? matrix[column + 1][row] : matrix[row][column + 1];
      static_cast<const Load*>(slots[lane])->r[m] = first | second << 16;
    }
  }
}

}  // namespace

void multiplyFragments(float* d, const uint32_t* a, const uint32_t* b, std::source_location where) {
  Product product{d, a, b};
  meetLanes("mma", allLanes, &product, multiply, where);
}

void loadFragments(uint32_t* r, const void* row, bool transposed, std::source_location where) {
  checkShared(row, 16, "ldmatrix");
  Load slot{r, row};
  if (transposed)
    meetLanes("ldmatrix.trans", allLanes, &slot, load<true>, where);
  else
    meetLanes("ldmatrix", allLanes, &slot, load<false>, where);
}

}  // namespace cudaShim
