// Loading the CUDA part: where it cannot be used, the reason is told, the same by both ways of asking.
#include <dlfcn.h>

#include <string>

#include "backend/backend.h"
#include "test/test.h"

using namespace muonscope;

TEST("cuda library: without a driver, both ways of asking say so and what to do") {
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver) dlclose(driver);
  const BackendAvailability cuda = cudaAvailability();
  CHECK_EQ(cuda.id, std::string("cuda"));
  CHECK(!cuda.detail.empty());
  if (cuda.available) {
    CHECK_EQ(makeCudaBackend({})->info().id, cuda.id);
  } else if (!driver) {
    CHECK_EQ(cuda.detail.find("no NVIDIA driver: libcuda.so.1 was not found by the loader"), size_t{0});
    CHECK(cuda.detail.find("580 or newer") != std::string::npos);
    // Not beside the tests' program either.
    CHECK(cuda.detail.find("npm run build -- --cuda") != std::string::npos);
    CHECK_THROWS(makeCudaBackend({}), cuda.detail);
  }
}
