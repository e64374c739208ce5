// Devices that this process works on, reaching each other's memory where the machine connects them.
#pragma once

namespace muonscope::cuda {

// Says that work is done on a device while it lives. Leaves the device chosen.
class PeerUse {
 public:
  explicit PeerUse(int device);
  ~PeerUse();
  PeerUse(const PeerUse&) = delete;
  PeerUse& operator=(const PeerUse&) = delete;

 private:
  int device_;
};

}  // namespace muonscope::cuda
