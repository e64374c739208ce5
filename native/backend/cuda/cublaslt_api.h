// What is used of cuBLASLt, declared here, so that building needs no header of its: opaque objects, values of enumerations, and
// functions that are looked up when the library is loaded. The same in versions 12 and 13; test/cublaslt_abi_check.cc compares
// all of it with NVIDIA's header where there is one. Meanings: cuBLAS documentation, "Using the cuBLASLt API".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace muonscope::cuda::cublaslt {

struct Context;
struct Description;  // of a product: compute type, transpositions
struct Layout;       // of a matrix or of a strided batch
struct Preference;   // what the search for an algorithm may choose from

enum class Status : int32_t {
  success = 0,
  notInitialized = 1,
  allocFailed = 3,
  invalidValue = 7,
  archMismatch = 8,
  notSupported = 15
};

enum class DataType : int32_t { fp32 = 0, bf16 = 14 };
enum class ComputeType : int32_t { fp32 = 68, fastTf32 = 77 };
enum class Operation : int32_t { none = 0, transpose = 1 };

enum class DescriptionAttribute : int32_t { transposeA = 3, transposeB = 4 };  // int32_t, an Operation
enum class LayoutAttribute : int32_t { batchCount = 5, batchStride = 6 };      // int32_t; int64_t, in elements
enum class PreferenceAttribute : int32_t {
  maxWorkspaceBytes = 1,  // uint64_t
  reductionSchemes = 3,   // uint32_t, a mask of ReductionScheme
  alignmentA = 5,         // uint32_t each, in bytes
  alignmentB = 6,
  alignmentC = 7,
  alignmentD = 8,
};

// Where the parts of a sum that was split are added: in the output, in fp32 in the workspace, or in the output's type there.
enum class ReductionScheme : uint32_t { inPlace = 1, computeType = 2, outputType = 4 };

struct Algorithm {
  uint64_t data[8];
};

struct HeuristicResult {
  Algorithm algorithm;
  size_t workspaceBytes;
  Status state;
  float waves;
  int32_t reserved[4];
};

// Matrices are column-major. `stream` is a cudaStream_t.
struct Functions {
  size_t (*getVersion)();
  const char* (*getStatusName)(Status);
  const char* (*getStatusString)(Status);
  Status (*create)(Context**);
  Status (*destroy)(Context*);
  Status (*descriptionCreate)(Description**, ComputeType, DataType scaleType);
  Status (*descriptionDestroy)(Description*);
  Status (*descriptionSet)(Description*, DescriptionAttribute, const void* value, size_t bytes);
  Status (*layoutCreate)(Layout**, DataType, uint64_t rows, uint64_t columns, int64_t leading);
  Status (*layoutDestroy)(Layout*);
  Status (*layoutSet)(Layout*, LayoutAttribute, const void* value, size_t bytes);
  Status (*preferenceCreate)(Preference**);
  Status (*preferenceDestroy)(Preference*);
  Status (*preferenceSet)(Preference*, PreferenceAttribute, const void* value, size_t bytes);
  Status (*getHeuristic)(Context*, Description*, Layout* a, Layout* b, Layout* c, Layout* d, Preference*, int32_t requested,
                         HeuristicResult* results, int32_t* returned);
  // D = alpha·op(A)·op(B) + beta·C
  Status (*matmul)(Context*, Description*, const void* alpha, const void* a, Layout*, const void* b, Layout*, const void* beta,
                   const void* c, Layout*, void* d, Layout*, const Algorithm*, void* workspace, size_t workspaceBytes,
                   void* stream);
};

struct Loaded {
  Functions functions{};
  std::string version;  // "cuBLASLt 13.1.1"
  std::string problem;  // why it is not here and what to do; empty when it is
};

// The library is loaded by the first call that finds it, and stays.
Loaded load();

}  // namespace muonscope::cuda::cublaslt
