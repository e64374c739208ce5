// How many threads are worth starting.
#pragma once

namespace muonscope {

// Physical cores that this process may use: its affinity mask and its cgroup's quota respected. At least 1.
int availableCores();

}  // namespace muonscope
