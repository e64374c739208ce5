#include "core/taps.h"

namespace muonscope {

std::string tapName(Tap tap) { return tapNames()[static_cast<size_t>(tap)]; }

const std::vector<std::string>& tapNames() {
  static const std::vector<std::string> names = {"gradient", "momentum", "orthogonalized", "normalized", "update", "weight"};
  return names;
}

}  // namespace muonscope
