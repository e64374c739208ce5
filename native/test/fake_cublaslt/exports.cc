// A fake libcublasLt.so.13 for tests without a GPU: the functions of cublasLt.h that backend/cuda/cublaslt_api.h names, strict
// about what they are given, computing on host memory, which is what device memory is in the emulated build.
//
// It is found and loaded just as NVIDIA's is, and so is a library of its own, which sees nothing of the stand-in for the CUDA
// runtime but the stream's handle: the object behind that begins with a function that takes work and one that knows the devices of
// memory (StreamHook). What is enqueued there is done in its turn, and recorded while the stream is capturing.
#include <cstring>
#include <iterator>
#include <new>

#include "test/fake_cublaslt/problem.h"

using namespace fakeCublasLt;

namespace {

struct StreamHook {
  void (*enqueue)(void* stream, void (*run)(void*), void* data, void (*destroy)(void*));
  bool (*mayUse)(void* stream, const void* const* memory, size_t count);
};

struct Work {
  Problem problem;
  Operands operands;
  void* workspace;
};

// Every algorithm says that it needs this much, and uses it.
constexpr uint64_t neededWorkspace = 1024;

void run(void* data) {
  const Work& work = *static_cast<const Work*>(data);
  std::memset(work.workspace, 0xa5, neededWorkspace);
  multiply(work.problem, work.operands);
}

void destroy(void* data) { delete static_cast<Work*>(data); }

// cuBLASLt's rule for attributes: exactly as many bytes as the attribute has.
template <class T>
Status take(T& to, const void* value, size_t bytes) {
  if (!value || bytes != sizeof(T)) return Status::invalidValue;
  std::memcpy(&to, value, bytes);
  return Status::success;
}

template <class T>
Status make(T** made, T value) {
  if (!made) return Status::invalidValue;
  *made = new (std::nothrow) T(value);
  return *made ? Status::success : Status::allocFailed;
}

template <class T>
Status end(T* object) {
  delete object;
  return Status::success;
}

bool known(DataType type) { return type == DataType::fp32 || type == DataType::bf16; }
bool powerOfTwo(uint32_t x) { return x && !(x & (x - 1)); }

}  // namespace

// The only symbols that the library shows.
#pragma GCC visibility push(default)
extern "C" {

size_t cublasLtGetVersion() { return 130000; }

const char* cublasLtGetStatusName(Status status) {
  switch (status) {
    case Status::success: return "CUBLAS_STATUS_SUCCESS";
    case Status::notInitialized: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case Status::allocFailed: return "CUBLAS_STATUS_ALLOC_FAILED";
    case Status::invalidValue: return "CUBLAS_STATUS_INVALID_VALUE";
    case Status::archMismatch: return "CUBLAS_STATUS_ARCH_MISMATCH";
    case Status::notSupported: return "CUBLAS_STATUS_NOT_SUPPORTED";
  }
  return "unrecognized status";
}

const char* cublasLtGetStatusString(Status) { return "said by the fake cuBLASLt"; }

Status cublasLtCreate(Context** context) { return make(context, Context{}); }
Status cublasLtDestroy(Context* context) { return context ? end(context) : Status::notInitialized; }

Status cublasLtMatmulDescCreate(Description** made, ComputeType compute, DataType scaleType) {
  if (compute != ComputeType::fp32 && compute != ComputeType::fastTf32) return Status::invalidValue;
  return scaleType == DataType::fp32 ? make(made, Description{compute}) : Status::invalidValue;
}

Status cublasLtMatmulDescDestroy(Description* description) { return end(description); }

Status cublasLtMatmulDescSetAttribute(Description* description, DescriptionAttribute attribute, const void* value, size_t bytes) {
  Operation operation{};
  if (!description || take(operation, value, bytes) != Status::success) return Status::invalidValue;
  if (operation != Operation::none && operation != Operation::transpose) return Status::invalidValue;
  switch (attribute) {
    case DescriptionAttribute::transposeA: description->a = operation; return Status::success;
    case DescriptionAttribute::transposeB: description->b = operation; return Status::success;
  }
  return Status::invalidValue;
}

Status cublasLtMatrixLayoutCreate(Layout** made, DataType type, uint64_t rows, uint64_t cols, int64_t leading) {
  return known(type) ? make(made, Layout{type, rows, cols, leading}) : Status::invalidValue;
}

Status cublasLtMatrixLayoutDestroy(Layout* layout) { return end(layout); }

Status cublasLtMatrixLayoutSetAttribute(Layout* layout, LayoutAttribute attribute, const void* value, size_t bytes) {
  if (!layout) return Status::invalidValue;
  switch (attribute) {
    case LayoutAttribute::batchCount: return take(layout->count, value, bytes);
    case LayoutAttribute::batchStride: return take(layout->stride, value, bytes);
  }
  return Status::invalidValue;
}

Status cublasLtMatmulPreferenceCreate(Preference** made) { return make(made, Preference{}); }
Status cublasLtMatmulPreferenceDestroy(Preference* preference) { return end(preference); }

Status cublasLtMatmulPreferenceSetAttribute(Preference* preference, PreferenceAttribute attribute, const void* value,
                                            size_t bytes) {
  if (!preference) return Status::invalidValue;
  switch (attribute) {
    case PreferenceAttribute::maxWorkspaceBytes: return take(preference->maxWorkspaceBytes, value, bytes);
    case PreferenceAttribute::reductionSchemes: return take(preference->reductionSchemes, value, bytes);
    case PreferenceAttribute::alignmentA:
    case PreferenceAttribute::alignmentB:
    case PreferenceAttribute::alignmentC:
    case PreferenceAttribute::alignmentD:
      return take(preference->alignments[static_cast<int>(attribute) - static_cast<int>(PreferenceAttribute::alignmentA)], value,
                  bytes);
  }
  return Status::invalidValue;
}

Status cublasLtMatmulAlgoGetHeuristic(Context* context, Description* description, Layout* a, Layout* b, Layout* c, Layout* d,
                                      Preference* preference, int32_t requested, HeuristicResult* results, int32_t* returned) {
  if (!context) return Status::notInitialized;
  if (!description || !a || !b || !c || !d || !preference || requested < 1 || !results || !returned) return Status::invalidValue;
  const Problem problem{*description, *a, *b, *c, *d};
  for (const uint32_t alignment : preference->alignments)
    if (!powerOfTwo(alignment)) return Status::invalidValue;
  *returned = 0;
  if (const Status status = check(problem); status != Status::success) return status;
  if (preference->maxWorkspaceBytes < neededWorkspace) return Status::notSupported;
  results[0] = {algorithmFor(problem, *preference, neededWorkspace), neededWorkspace, Status::success, 1, {}};
  *returned = 1;
  return Status::success;
}

Status cublasLtMatmul(Context* context, Description* description, const void* alpha, const void* a, Layout* aLayout,
                      const void* b, Layout* bLayout, const void* beta, const void* c, Layout* cLayout, void* d, Layout* dLayout,
                      const Algorithm* algorithm, void* workspace, size_t workspaceBytes, void* stream) {
  if (!context) return Status::notInitialized;
  if (!description || !aLayout || !bLayout || !cLayout || !dLayout || !alpha || !beta || !algorithm) return Status::invalidValue;
  const Problem problem{*description, *aLayout, *bLayout, *cLayout, *dLayout};
  const Operands operands{*static_cast<const float*>(alpha), *static_cast<const float*>(beta), a, b, c, d};
  if (const Status status = check(problem, operands); status != Status::success) return status;
  if (const Status status = checkAlgorithm(*algorithm, problem, operands, workspace, workspaceBytes); status != Status::success)
    return status;
  const void* const memory[] = {a, b, c, d, workspace};
  if (stream && !static_cast<StreamHook*>(stream)->mayUse(stream, memory, std::size(memory))) return Status::invalidValue;
  auto* work = new (std::nothrow) Work{problem, operands, workspace};
  if (!work) return Status::allocFailed;
  if (stream) {
    static_cast<StreamHook*>(stream)->enqueue(stream, run, work, destroy);
  } else {
    run(work);
    destroy(work);
  }
  return Status::success;
}

}  // extern "C"
#pragma GCC visibility pop
