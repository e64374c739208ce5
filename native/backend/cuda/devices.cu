// GPUs, their words, and which of them can be used.
#include "backend/cuda/devices.h"

#include <cstdio>
#include <stdexcept>

#include "backend/cuda/check.h"

namespace muonscope::cuda {
namespace {

// bf16 in tensor cores and asynchronous copies to shared memory came with it (CUDA C++ Programming Guide, "Compute
// Capability 8.x").
constexpr int smallestMajor = 8;

Device describe(int index) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "asking what the GPU is");
  return {properties.name, static_cast<double>(properties.totalGlobalMem), properties.major, properties.minor};
}

std::string list(const std::vector<Device>& devices) {
  std::string text;
  for (size_t i = 0; i < devices.size(); i++) text += (i ? "; " : "") + std::to_string(i) + ": " + devices[i].words();
  return text;
}

}  // namespace

bool Device::usable() const { return major >= smallestMajor; }

std::string Device::words() const {
  char memory[32];
  std::snprintf(memory, sizeof memory, ", %.1f GiB", bytes / 0x1p30);
  return name + memory +
         (usable() ? ""
                   : " (too old: compute capability " + std::to_string(major) + "." + std::to_string(minor) + ", needed is " +
                         std::to_string(smallestMajor) + ".0, Ampere, or newer)");
}

std::vector<Device> listDevices() {
  int count = 0;
  check(cudaGetDeviceCount(&count), "looking for GPUs");
  if (count == 0) check(cudaErrorNoDevice, "looking for GPUs");
  std::vector<Device> devices;
  for (int i = 0; i < count; i++) devices.push_back(describe(i));
  return devices;
}

const Device& chooseDevice(const std::vector<Device>& devices, int index) {
  const bool exists = index >= 0 && index < static_cast<int>(devices.size());
  if (exists && devices[static_cast<size_t>(index)].usable()) return devices[static_cast<size_t>(index)];
  throw std::invalid_argument("device: expected the index of a GPU that can be used, received " + std::to_string(index) +
                              ". There are " + list(devices) + ".");
}

}  // namespace muonscope::cuda
