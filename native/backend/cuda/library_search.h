// Finds NVIDIA's libraries where people have them: the toolkit, a Python environment, a folder of their choice.
#pragma once

#include <string>
#include <vector>

namespace muonscope::cuda {

struct WantedLibrary {
  std::string product;             // "cuBLASLt"
  std::vector<std::string> names;  // of files; the one to prefer first
  std::string pythonPackage;       // that has it
};

struct OpenedLibrary {
  void* handle = nullptr;  // of dlopen; null when there is a problem
  std::string path;        // the file
  std::string problem;     // what was looked for, where, and how to get it
};

// Looks in the folders of $MUONSCOPE_CUDA_LIBRARIES (colons between them), along the loader's own path, in $CUDA_PATH/lib64 and
// $CUDA_HOME/lib64, in /usr/local/cuda/lib64, and in NVIDIA's Python packages of $VIRTUAL_ENV and $CONDA_PREFIX. In the
// first of these that has one of the names, the first of the names is taken.
OpenedLibrary openLibrary(const WantedLibrary& wanted);

}  // namespace muonscope::cuda
