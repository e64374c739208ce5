// A tensor in host memory, by name: what goes in and out of checkpoints and the addon.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace muonscope {

struct HostTensor {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> data;  // row-major
};

// "[3, 4]"
inline std::string shapeText(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (const int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

}  // namespace muonscope
