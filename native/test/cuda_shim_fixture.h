// For tests of the stand-in for CUDA: a stream, and orders that are put back.
#pragma once

#include <array>
#include <cstdio>

#include "backend/cuda/element.cuh"
#include "backend/cuda/launch.h"
#include "backend/cuda/reduce.cuh"
#include "backend/cuda/shared_memory.cuh"
#include "backend/cuda/tensor_core.cuh"
#include "test/cuda_shim/shim.h"
#include "test/test.h"

namespace muonscope::test {

#ifdef MUONSCOPE_SANITIZE
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

inline void skip(const char* why) { std::printf("skip  %s\n", why); }

inline cuda::Stream shimStream() {
  static const cuda::Stream stream = [] {
    cuda::Stream made;
    cuda::check(cudaStreamCreateWithFlags(&made.handle, cudaStreamNonBlocking), "making a stream");
    made.multiprocessors = 4;
    return made;
  }();
  return stream;
}

inline constexpr std::array allOrders = {cudaShim::Order::ascending, cudaShim::Order::descending, cudaShim::Order::shuffled};

class WithOrder {
 public:
  explicit WithOrder(cudaShim::Order order) { cudaShim::setOrder(order, 7); }
  ~WithOrder() { cudaShim::setOrder(cudaShim::Order::ascending); }
  WithOrder(const WithOrder&) = delete;
  WithOrder& operator=(const WithOrder&) = delete;
};

}  // namespace muonscope::test
