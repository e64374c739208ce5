// The stand-in for the instructions of tensor_core.cuh: products through fragments, and copies that arrive late.
#include <cmath>
#include <vector>

#include "test/cuda_shim_fixture.h"

namespace muonscope::cuda {
namespace {

// D[16, 8] = A[16, 16]·B[16, 8], A with its rows in memory, B with its rows (transposed on loading) or its columns.
template <bool columnsOfB>
__global__ void product(float* d, const bf16* a, const bf16* b) {
  bf16* shared = sharedMemory<bf16>();
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < 256; i += 32) shared[i] = a[i];
  for (int i = lane; i < 128; i += 32) shared[256 + i] = b[i];
  __syncwarp();
  uint32_t fragmentA[4], fragmentB[4];
  // Matrices 0 … 3: rows 0 and 8 of the left half, then of the right half.
  loadMatrix4(fragmentA, shared + (lane % 16) * 16 + lane / 16 * 8);
  // Two matrices are enough for B; the other two are loaded again.
  if constexpr (columnsOfB)
    loadMatrix4(fragmentB, shared + 256 + (lane % 8) * 16 + lane / 8 % 2 * 8);
  else
    loadMatrix4Transposed(fragmentB, shared + 256 + (lane % 16) * 8);
  float sum[4] = {1, 1, 1, 1};
  mma16816(sum, fragmentA, {fragmentB[0], fragmentB[1]});
  const int group = lane / 4, pair = lane % 4;
  for (int i = 0; i < 4; ++i) d[(group + i / 2 * 8) * 8 + pair * 2 + i % 2] = sum[i];
}

__global__ void misaligned(uint32_t* out) {
  uint32_t r[4];
  loadMatrix4(r, sharedMemory<char>() + 8 * threadIdx.x);
  out[threadIdx.x] = r[0];
}

__global__ void laneOfProductIsMissing(float* out) {
  float d[4] = {};
  const uint32_t a[4] = {}, b[2] = {};
  if (threadIdx.x != 31) mma16816(d, a, b);
  out[threadIdx.x] = d[0];
}

// What shared memory holds after two groups of copies, the later of which is still under way.
__global__ void copies(float* out, const float* from) {
  float* shared = sharedMemory<float>();
  for (int i = 0; i < 12; ++i) shared[i] = 5;
  copyAsync16(shared, from, true);
  copyAsync16(shared + 4, from, false);
  copyAsyncCommit();
  copyAsync16(shared + 8, from + 4, true);
  copyAsyncCommit();
  for (int i = 0; i < 12; ++i) out[i] = shared[i];
  copyAsyncWait<1>();
  for (int i = 0; i < 12; ++i) out[12 + i] = shared[i];
  copyAsyncWait<0>();
  for (int i = 0; i < 12; ++i) out[24 + i] = shared[i];
}

__global__ void copyWithoutCommit(float* out, const float* from) {
  float* shared = sharedMemory<float>();
  copyAsync16(shared, from, true);
  copyAsyncWait<0>();
  out[0] = shared[0];
}

__global__ void copyAnything(char* to, const char* from) { copyAsync16(sharedMemory<char>() + (to - from), from, true); }

}  // namespace
}  // namespace muonscope::cuda

using namespace muonscope;
using namespace muonscope::cuda;
using test::shimStream;

TEST("cuda shim: a product through fragments") {
  bf16 a[16][16], rows[16][8], columns[8][16];
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 16; ++j) {
      a[i][j] = __float2bfloat16(static_cast<float>((7 * i + 3 * j) % 23 - 11));
      if (j < 8) rows[i][j] = columns[j][i] = __float2bfloat16(static_cast<float>((5 * i + 11 * j) % 19 - 9));
    }
  for (const bool transposed : {false, true}) {
    float d[16][8];
    if (transposed)
      launch(shimStream(), product<true>, 1, 32, 768, d[0], a[0], columns[0]);
    else
      launch(shimStream(), product<false>, 1, 32, 768, d[0], a[0], rows[0]);
    for (int i = 0; i < 16; ++i)
      for (int j = 0; j < 8; ++j) {
        float expected = 1;  // whole numbers: exact
        for (int k = 0; k < 16; ++k) expected += toFloat(a[i][k]) * toFloat(rows[k][j]);
        CHECK_EQ(d[i][j], expected);
      }
  }
}

TEST("cuda shim: matrix instructions need aligned rows and all lanes") {
  std::vector<uint32_t> out(32);
  std::vector<float> floats(32);
  CHECK_THROWS(launch(shimStream(), misaligned, 1, 32, 1024, out.data()), "ldmatrix: an address in shared memory that is not aligned to 16 bytes (kernel");
  CHECK_THROWS(launch(shimStream(), misaligned, 1, 32, 8, out.data()), "ldmatrix: an address beyond the 8 bytes of dynamic shared memory");
  CHECK_THROWS(launch(shimStream(), laneOfProductIsMissing, 1, 32, 0, floats.data()), "31 threads (first: number 0) wait at mma at cuda_shim_tensor_core_test.cc:");
}

TEST("cuda shim: copies arrive when they are waited for") {
  alignas(16) const float from[8] = {10, 11, 12, 13, 20, 21, 22, 23};
  float out[36];
  launch(shimStream(), copies, 1, 1, 48, out, from);
  for (int i = 0; i < 12; ++i) {
    CHECK(std::isnan(out[i]));
    const float first = i < 4 ? from[i] : 0, second = i < 8 ? first : from[i - 4];
    if (i < 8) CHECK_EQ(out[12 + i], first);
    if (i >= 8) CHECK(std::isnan(out[12 + i]));
    CHECK_EQ(out[24 + i], second);
  }
}

TEST("cuda shim: copies of no group are not waited for") {
  alignas(16) const float from[4] = {1, 2, 3, 4};
  float out[1];
  launch(shimStream(), copyWithoutCommit, 1, 1, 48, out, from);
  CHECK(std::isnan(out[0]));
}

TEST("cuda shim: copies need aligned addresses") {
  alignas(16) char from[64];
  CHECK_THROWS(launch(shimStream(), copyAnything, 1, 1, 64, from + 8, from), "cp.async: an address in shared memory that is not aligned");
  CHECK_THROWS(launch(shimStream(), copyAnything, 1, 1, 64, from + 20, from + 4), "cp.async from global memory that is not aligned");
  CHECK_THROWS(launch(shimStream(), copyAnything, 1, 1, 24, from + 16, from), "beyond the 24 bytes of dynamic shared memory");
}

TEST("cuda shim: bf16 rounds to the nearest, ties to even") {
  CHECK_EQ(__float2bfloat16(1.0f).bits, 0x3f80);
  CHECK_EQ(__float2bfloat16(1.00390625f).bits, 0x3f80);   // 1 + 2^-8: a tie, down to even
  CHECK_EQ(__float2bfloat16(1.01171875f).bits, 0x3f82);   // 1 + 3·2^-8: a tie, up to even
  CHECK_EQ(__float2bfloat16(1.004f).bits, 0x3f81);
  CHECK_EQ(__float2bfloat16(-INFINITY).bits, 0xff80);
  CHECK_EQ(__float2bfloat16(3.4e38f).bits, 0x7f80);       // beyond the largest: infinite
  CHECK(std::isnan(toFloat(__float2bfloat16(__uint_as_float(0x7f800001u)))));  // a NaN whose upper half is infinity's
  const float2 pair = __bfloat1622float2(__floats2bfloat162_rn(2, -3));
  CHECK(pair.x == 2 && pair.y == -3);
}
