// Stand-in for CUDA's header, so that the kernels of backend/cuda compile with a host compiler and run on the host.
#pragma once

#include <memory>
#include <tuple>
#include <utility>

#include "test/cuda_shim/device.h"
#include "test/cuda_shim/runtime.h"

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...), Arguments&&... arguments) {
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> parameters;
  };
  cudaShim::Launch launch{};
  launch.kernel = reinterpret_cast<const void*>(kernel);
  launch.grid = config->gridDim;
  launch.block = config->blockDim;
  launch.sharedBytes = config->dynamicSmemBytes;
  const auto call =
      std::make_shared<const Call>(Call{kernel, std::tuple<Parameters...>(std::forward<Arguments>(arguments)...)});
  std::apply([&](const auto&... each) { launch.parameters = {{std::addressof(each), sizeof each}...}; }, call->parameters);
  launch.arguments = call;
  launch.thread = [](const void* data) {
    const Call& call = *static_cast<const Call*>(data);
    std::apply(call.kernel, call.parameters);
  };
  return cudaShim::enqueueKernel(config->stream, launch);
}
