// The shared memory of the block that runs.
#pragma once

#include <cstddef>

namespace cudaShim {

// Before a block: NaN in the `dynamic` bytes and in the static variables, and nothing on its way into them.
void fillShared(size_t dynamic, const void* kernel);
// After a block: throws when it wrote beyond the dynamic bytes that its launch asked for.
void checkSharedGuard(size_t dynamic);

}  // namespace cudaShim
