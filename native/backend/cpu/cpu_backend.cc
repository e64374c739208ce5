// Construction and memory of the CPU backend.
#include "backend/cpu/cpu_backend.h"

#include <cstring>
#include <new>

#include "backend/cpu/blas.h"
#include "backend/cpu/cpu_count.h"

namespace muonscope {
namespace {

constexpr std::align_val_t kAlignment{64};  // a cache line, and a vector of AVX-512
constexpr int64_t kCopyGrain = 64 * 1024;   // floats; below this one thread is as fast

}  // namespace

CpuBackend::CpuBackend(int threads) : pool_(threads > 0 ? threads : availableCores()) {
  useSerialBlas();
  const int lanes = pool_.lanes();
  info_ = {"cpu", blasName() + ", " + std::to_string(lanes) + (lanes == 1 ? " thread" : " threads"), lanes};
}

float* CpuBackend::allocate(int64_t floats) {
  if (floats < 0 || floats > PTRDIFF_MAX / static_cast<int64_t>(sizeof(float))) throw std::bad_alloc();
  const size_t bytes = static_cast<size_t>(floats) * sizeof(float);
  auto* p = static_cast<float*>(::operator new(bytes, kAlignment));
  zero(p, floats);
  return p;
}

void CpuBackend::release(float* p) noexcept { ::operator delete(p, kAlignment); }

void CpuBackend::upload(float* to, const float* from, int64_t n) { copy(to, from, n); }

void CpuBackend::download(float* to, const float* from, int64_t n) { copy(to, from, n); }

void CpuBackend::copy(float* to, const float* from, int64_t n) {
  pool_.parallelFor(
      n, [&](int64_t begin, int64_t end) { std::memcpy(to + begin, from + begin, (end - begin) * sizeof(float)); },
      kCopyGrain);
}

void CpuBackend::zero(float* to, int64_t n) {
  pool_.parallelFor(
      n, [&](int64_t begin, int64_t end) { std::memset(to + begin, 0, (end - begin) * sizeof(float)); }, kCopyGrain);
}

std::unique_ptr<Backend> makeCpuBackend(int threads) { return std::make_unique<CpuBackend>(threads); }

}  // namespace muonscope
