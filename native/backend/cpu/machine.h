// What this machine has for this process.
#pragma once

namespace muonscope {

// Physical cores that this process may use: its affinity mask and its cgroup's quota respected. At least 1.
int availableCores();

// Bytes that can be had without swapping or being killed for it: the machine's and its cgroup's limit respected.
// Infinite where it cannot be told.
double availableMemory();

}  // namespace muonscope
