// Finds NVIDIA's libraries: see the header for where.
#include "backend/cuda/library_search.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace muonscope::cuda {
namespace {

namespace fs = std::filesystem;

constexpr const char* chosenFolders = "MUONSCOPE_CUDA_LIBRARIES";  // the extension fills it from the setting

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  std::istringstream stream(list);
  for (std::string part; std::getline(stream, part, ':');)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

// Where the wheels of nvidia-cublas (13) and nvidia-cublas-cu12 put their libraries.
void addPythonFolders(std::vector<std::string>& folders, const std::string& prefix) {
  std::vector<fs::path> pythons;
  std::error_code unreadable;  // a folder that is not there has no libraries
  for (const auto& entry : fs::directory_iterator(fs::path(prefix) / "lib", unreadable))
    if (entry.path().filename().string().starts_with("python3")) pythons.push_back(entry.path());
  std::sort(pythons.begin(), pythons.end());
  if (pythons.empty()) pythons.push_back(fs::path(prefix) / "lib/python3*");  // for the message
  for (const auto& python : pythons)
    for (const char* package : {"cu13", "cublas"}) folders.push_back(python / "site-packages/nvidia" / package / "lib");
}

std::vector<std::string> usualFolders() {
  std::vector<std::string> folders;
  for (const char* name : {"CUDA_PATH", "CUDA_HOME"})
    if (const std::string root = environment(name); !root.empty()) folders.push_back(root + "/lib64");
  folders.push_back("/usr/local/cuda/lib64");
  for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"})
    if (const std::string root = environment(name); !root.empty()) addPythonFolders(folders, root);
  return folders;
}

std::string join(const std::vector<std::string>& parts, const char* between) {
  std::string joined;
  for (const auto& part : parts) joined += (joined.empty() ? "" : between) + part;
  return joined;
}

// One search: what it opened, where it looked, and what was there but did not load.
struct Search {
  const WantedLibrary& wanted;
  OpenedLibrary opened;
  std::vector<std::string> places, failures;

  bool open(const std::string& file) {
    opened.handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!opened.handle) return false;
    link_map* map = nullptr;
    opened.path = dlinfo(opened.handle, RTLD_DI_LINKMAP, &map) == 0 && map ? map->l_name : file;
    return true;
  }

  bool folder(const std::string& folder) {
    places.push_back(folder);
    for (const auto& name : wanted.names) {
      const fs::path file = fs::path(folder) / name;
      std::error_code unreadable;
      if (!fs::exists(file, unreadable)) continue;
      if (open(file)) return true;
      failures.emplace_back(dlerror());
    }
    return false;
  }

  bool loaderPath() {
    places.push_back("the loader's own path");
    return std::any_of(wanted.names.begin(), wanted.names.end(), [&](const auto& name) {
      if (open(name)) return true;
      const std::string words = dlerror();
      if (words.find(name + ": cannot open shared object file") != 0) failures.push_back(words);
      return false;
    });
  }

  std::string problem() const {
    std::string words = failures.empty() ? wanted.product + " was not found: looked for " + join(wanted.names, " and ") + " in "
                                         : wanted.product + " does not load: " + join(failures, "; ") + ". Looked in ";
    return words + join(places, ", ") + ". Install it with `pip install " + wanted.pythonPackage +
           "` in the selected Python or with NVIDIA's CUDA toolkit, or name the folder that has it in the setting "
           "muonscope.cudaLibraries.";
  }
};

}  // namespace

OpenedLibrary openLibrary(const WantedLibrary& wanted) {
  Search search{wanted, {}, {}, {}};
  for (const auto& folder : split(environment(chosenFolders))) {
    if (search.folder(folder)) return search.opened;
    // What a person chose and does not work is not replaced by something else.
    if (!search.failures.empty()) return {nullptr, "", search.problem()};
  }
  if (search.loaderPath()) return search.opened;
  for (const auto& folder : usualFolders())
    if (search.folder(folder)) return search.opened;
  return {nullptr, "", search.problem()};
}

}  // namespace muonscope::cuda
