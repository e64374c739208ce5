// The CUDA backend is a library of its own beside this code's, so that this one works where there is no GPU. It is loaded
// when it is asked for, and stays.
#include <stdexcept>
#include <string>

#include "backend/backend.h"
#include "backend/cuda/library.h"

#if defined(__linux__)
#include <dlfcn.h>

#include <filesystem>
#include <memory>
#include <mutex>
#endif

namespace muonscope {
namespace {

#if defined(__linux__)

namespace fs = std::filesystem;

constexpr const char* fileName = "muonscope_cuda.so";

std::string loaderWords() {
  const char* words = dlerror();
  return words ? words : "no reason given";
}

// Beside the shared object, or the program, that contains this code.
fs::path expectedFile() {
  static const char here = 0;
  Dl_info info{};
  if (!dladdr(&here, &info) || !info.dli_fname) throw std::runtime_error("the loader does not say where this program lies");
  fs::path file = info.dli_fname;
  // Of a program that was started by a relative path it is that path, from a folder that need not be the current one.
  if (!file.is_absolute()) file = fs::read_symlink("/proc/self/exe");
  return fs::canonical(file).parent_path() / fileName;
}

// What is missing of NVIDIA's driver, and what to do; empty where it is there.
std::string missingDriver() {
  constexpr const char* name = "libcuda.so.1";  // of the driver, not of the toolkit
  if (void* driver = dlopen(name, RTLD_LAZY | RTLD_LOCAL)) {
    dlclose(driver);
    return "";
  }
  return std::string("no NVIDIA driver: ") + name + " was not found by the loader (" + loaderWords() +
         "). Install NVIDIA's driver (580 or newer), or start the container with its GPUs; `nvidia-smi` must list one.";
}

// The same of the CUDA backend's own library.
std::string missingLibrary(const fs::path& file) {
  if (fs::exists(file)) return "";
  return "the CUDA backend is not in this build: there is no " + file.string() +
         ". Build it with `npm run build -- --cuda`, or install the package that has it.";
}

const CudaLibrary* load() {
  const fs::path file = expectedFile();
  // Both at once: whoever mends the one would else come back for the other.
  const std::string driver = missingDriver(), library = missingLibrary(file);
  if (!driver.empty() || !library.empty())
    throw std::runtime_error(driver + (driver.empty() || library.empty() ? "" : "\nBesides, ") + library);
  // Closed again where it is refused, so that another one in its place can be loaded later.
  std::unique_ptr<void, int (*)(void*)> handle(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL), dlclose);
  if (!handle) throw std::runtime_error(file.string() + " does not load: " + loaderWords());
  const auto function = reinterpret_cast<CudaLibraryFunction>(dlsym(handle.get(), cudaLibrarySymbol));
  if (!function) throw std::runtime_error(file.string() + " is not this package's CUDA part: it has no " + cudaLibrarySymbol);
  const CudaLibrary* loaded = function();
  if (loaded->version != std::string(MUONSCOPE_VERSION))
    throw std::runtime_error(file.string() + " is of another version: expected " + MUONSCOPE_VERSION + ", received " +
                             loaded->version + ". Install the package again, or build all of it.");
  handle.release();
  return loaded;
}

// What is missing may have been installed since the last time.
const CudaLibrary& cudaLibrary() {
  static std::mutex mutex;
  static const CudaLibrary* library = nullptr;
  const std::lock_guard lock(mutex);
  if (!library) library = load();
  return *library;
}

#else

const CudaLibrary& cudaLibrary() { throw std::runtime_error("CUDA is for Linux."); }

#endif

}  // namespace

std::unique_ptr<Backend> makeCudaBackend(const BackendOptions& options) {
  return cudaLibrary().make(options, symmetricEigenvalues);
}

BackendAvailability cudaAvailability() {
  try {
    return cudaLibrary().availability();
  } catch (const std::exception& error) {
    return {"cuda", false, error.what(), {}};
  }
}

}  // namespace muonscope
