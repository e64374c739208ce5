// Copies into shared memory that arrive late: cp.async, its groups and its wait.
#pragma once

namespace cudaShim {

// The 16 bytes at `shared` are NaN until the copy has been waited for.
void copyLater(void* shared, const void* global, bool valid);
void closeGroup();
// Carries out this thread's copies, but for those of its `pending` latest groups and of none yet.
void waitForGroups(int pending);
// At the beginning of a block: nothing is under way.
void forgetCopies();

}  // namespace cudaShim
