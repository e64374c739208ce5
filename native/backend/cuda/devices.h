// The GPUs that the CUDA runtime shows. Looking at them takes none of their memory.
#pragma once

#include <string>
#include <vector>

namespace muonscope::cuda {

struct Device {
  std::string name;
  double bytes;      // of memory
  int major, minor;  // compute capability

  bool usable() const;
  std::string words() const;  // "NVIDIA H200, 139.8 GiB", and why it is not usable
};

// By index; throws, with a remedy, when there is none.
std::vector<Device> listDevices();
// Throws std::invalid_argument, with what there is, unless `index` is that of a usable device.
const Device& chooseDevice(const std::vector<Device>& devices, int index);

}  // namespace muonscope::cuda
