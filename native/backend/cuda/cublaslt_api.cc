// Loads cuBLASLt and looks its functions up.
#include "backend/cuda/cublaslt_api.h"

#include <dlfcn.h>

#include <mutex>

#include "backend/cuda/library_search.h"

namespace muonscope::cuda::cublaslt {
namespace {

template <class Function>
void lookUp(void* library, const char* name, Function& function, std::string& missing) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (!function) missing += (missing.empty() ? "" : ", ") + std::string(name);
}

// What is missing.
std::string lookUpAll(void* library, Functions& f) {
  std::string missing;
  lookUp(library, "cublasLtGetVersion", f.getVersion, missing);
  lookUp(library, "cublasLtGetStatusName", f.getStatusName, missing);
  lookUp(library, "cublasLtGetStatusString", f.getStatusString, missing);
  lookUp(library, "cublasLtCreate", f.create, missing);
  lookUp(library, "cublasLtDestroy", f.destroy, missing);
  lookUp(library, "cublasLtMatmulDescCreate", f.descriptionCreate, missing);
  lookUp(library, "cublasLtMatmulDescDestroy", f.descriptionDestroy, missing);
  lookUp(library, "cublasLtMatmulDescSetAttribute", f.descriptionSet, missing);
  lookUp(library, "cublasLtMatrixLayoutCreate", f.layoutCreate, missing);
  lookUp(library, "cublasLtMatrixLayoutDestroy", f.layoutDestroy, missing);
  lookUp(library, "cublasLtMatrixLayoutSetAttribute", f.layoutSet, missing);
  lookUp(library, "cublasLtMatmulPreferenceCreate", f.preferenceCreate, missing);
  lookUp(library, "cublasLtMatmulPreferenceDestroy", f.preferenceDestroy, missing);
  lookUp(library, "cublasLtMatmulPreferenceSetAttribute", f.preferenceSet, missing);
  lookUp(library, "cublasLtMatmulAlgoGetHeuristic", f.getHeuristic, missing);
  lookUp(library, "cublasLtMatmul", f.matmul, missing);
  return missing;
}

// cublas_api.h, CUBLAS_VERSION: major · 10000 + minor · 100 + patch
std::string versionName(size_t version) {
  return "cuBLASLt " + std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

Loaded search() {
  Loaded loaded;
  const OpenedLibrary library = openLibrary({"cuBLASLt", {"libcublasLt.so.13", "libcublasLt.so.12"}, "nvidia-cublas"});
  loaded.problem = library.problem;
  if (!library.handle) return loaded;
  const std::string missing = lookUpAll(library.handle, loaded.functions);
  if (missing.empty())
    loaded.version = versionName(loaded.functions.getVersion());
  else
    loaded.problem =
        "The cuBLASLt that was found, " + library.path + ", does not have " + missing +
        ": it is damaged or not NVIDIA's. Install another one (`pip install nvidia-cublas` in the selected Python, or "
        "the CUDA toolkit) and name its folder in the setting muonscope.cudaLibraries.";
  return loaded;
}

}  // namespace

Loaded load() {
  static std::mutex mutex;
  static Loaded loaded;
  const std::lock_guard lock(mutex);
  // A library that is missing may have been installed since.
  if (loaded.version.empty()) loaded = search();
  return loaded;
}

}  // namespace muonscope::cuda::cublaslt
