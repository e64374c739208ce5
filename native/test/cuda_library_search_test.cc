// Where NVIDIA's libraries are looked for, and what is said when there is none.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>

#include "backend/cuda/library_search.h"
#include "test/test.h"

using namespace muonscope::cuda;
namespace fs = std::filesystem;

namespace {

// In this program, before anything is loaded: cuBLASLt is the fake one (test/fake_cublaslt), whatever this machine has; unless it
// is to test a real device (test/backends.h).
[[maybe_unused]] const int fakeIsChosen =
    std::getenv("MUONSCOPE_TEST_DEVICE") ? 0 : setenv("MUONSCOPE_CUDA_LIBRARIES", MUONSCOPE_FAKE_CUDA_LIBRARIES, 1);

const WantedLibrary missing{"cuBLASLt", {"libmuonscopeTest.so.13", "libmuonscopeTest.so.12"}, "nvidia-cublas"};

// The variables that a search reads, all unset but those given; as they were before afterwards. And a folder.
class Surroundings {
 public:
  Surroundings() {
    std::string name = (fs::temp_directory_path() / "muonscope-libraries-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
    folder = name;
    for (const char* variable : {"MUONSCOPE_CUDA_LIBRARIES", "CUDA_PATH", "CUDA_HOME", "VIRTUAL_ENV", "CONDA_PREFIX"}) {
      const char* value = std::getenv(variable);
      before_[variable] = value ? std::optional<std::string>(value) : std::nullopt;
      unsetenv(variable);
    }
  }
  ~Surroundings() {
    for (const auto& [variable, value] : before_)
      value ? setenv(variable.c_str(), value->c_str(), 1) : unsetenv(variable.c_str());
    fs::remove_all(folder);
  }

  void set(const char* variable, const std::string& value) { setenv(variable, value.c_str(), 1); }
  // A library that loads, under another name: the C library's mathematics.
  void library(const fs::path& file) {
    fs::create_directories((folder / file).parent_path());
    fs::create_symlink(openLibrary({"", {"libm.so.6"}, ""}).path, folder / file);
  }
  void damagedLibrary(const fs::path& file) {
    fs::create_directories((folder / file).parent_path());
    std::ofstream(folder / file) << "not a library";
  }

  fs::path folder;

 private:
  std::map<std::string, std::optional<std::string>> before_;
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST("CUDA libraries: what is missing is named, with every place and what to do") {
  Surroundings here;
  here.set("MUONSCOPE_CUDA_LIBRARIES", "/nowhere/chosen:/nowhere/else");
  here.set("CUDA_PATH", "/nowhere/toolkit");
  here.set("VIRTUAL_ENV", "/nowhere/venv");
  const OpenedLibrary found = openLibrary(missing);
  CHECK(!found.handle);
  for (const char* part : {"cuBLASLt was not found", "libmuonscopeTest.so.13 and libmuonscopeTest.so.12",
                           "/nowhere/chosen, /nowhere/else, the loader's own path", "/nowhere/toolkit/lib64",
                           "/usr/local/cuda/lib64", "/nowhere/venv/lib/python3*/site-packages/nvidia/cu13/lib",
                           "pip install nvidia-cublas", "CUDA toolkit", "muonscope.cudaLibraries"})
    if (!has(found.problem, part))
      muonscope::test::fail(__FILE__, __LINE__, "no \"" + std::string(part) + "\" in: " + found.problem);
}

TEST("CUDA libraries: found in a chosen folder, a toolkit and a Python environment") {
  using Place = std::pair<const char*, const char*>;
  for (const auto& [variable, file] :
       {Place{"MUONSCOPE_CUDA_LIBRARIES", "libmuonscopeTest.so.13"}, Place{"CUDA_HOME", "lib64/libmuonscopeTest.so.12"},
        Place{"VIRTUAL_ENV", "lib/python3.11/site-packages/nvidia/cu13/lib/libmuonscopeTest.so.13"},
        Place{"CONDA_PREFIX", "lib/python3.9/site-packages/nvidia/cublas/lib/libmuonscopeTest.so.12"}}) {
    Surroundings here;
    here.library(file);
    here.set(variable, here.folder.string());
    const OpenedLibrary found = openLibrary(missing);
    CHECK_EQ(found.problem, "");
    CHECK(found.handle);
    CHECK(!found.path.empty());
  }
}

TEST("CUDA libraries: a damaged one is named, and one that a person chose is not replaced") {
  Surroundings here;
  here.damagedLibrary("chosen/libmuonscopeTest.so.13");
  here.library("toolkit/lib64/libmuonscopeTest.so.13");
  here.set("CUDA_PATH", (here.folder / "toolkit").string());
  CHECK(openLibrary(missing).handle);
  here.set("MUONSCOPE_CUDA_LIBRARIES", (here.folder / "chosen").string());
  const OpenedLibrary found = openLibrary(missing);
  CHECK(!found.handle);
  CHECK(has(found.problem, "cuBLASLt does not load: " + (here.folder / "chosen/libmuonscopeTest.so.13").string()));
  CHECK(has(found.problem, "muonscope.cudaLibraries"));
}
