// What the machine is found to have, against what the operating system says elsewhere.
#include <thread>

#include "backend/backend.h"
#include "backend/cpu/machine.h"
#include "test/test.h"

TEST("machine: cores and memory are plausible") {
  CHECK(muonscope::availableCores() >= 1);
  CHECK_LE(muonscope::availableCores(), static_cast<int>(std::thread::hardware_concurrency()));
  CHECK(muonscope::availableMemory() > 0x1p20);
}

TEST("machine: the BLAS is known by its name, so that it was told to use one thread") {
  CHECK(!muonscope::makeCpuBackend({1})->info().description.starts_with("BLAS,"));
}
