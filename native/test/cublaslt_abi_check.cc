// Compares backend/cuda/cublaslt_api.h with NVIDIA's <cublasLt.h>, at compile time and only where that is; a build of the
// tests needs neither. To be sure of the check:
//   c++ -std=c++20 -fsyntax-only -include cublasLt.h -I native -I FOLDER_OF_CUBLASLT_H -I CUDA_TOOLKIT/include
//   native/test/cublaslt_abi_check.cc
#if __has_include(<cublasLt.h>) && __has_include(<library_types.h>)
#include <cublasLt.h>

#include <type_traits>

#include "backend/cuda/cublaslt_api.h"

using namespace muonscope::cuda::cublaslt;

namespace {

template <class Ours, class Theirs>
constexpr bool same(Ours ours, Theirs theirs) {
  return sizeof(Ours) == sizeof(Theirs) && static_cast<int64_t>(ours) == static_cast<int64_t>(theirs);
}

// In the same registers: both pointers, or whole numbers or enumerations of one size.
template <class Ours, class Theirs>
constexpr bool passedAlike =
    std::is_pointer_v<Ours> == std::is_pointer_v<Theirs> && sizeof(Ours) == sizeof(Theirs) && !std::is_floating_point_v<Theirs>;

template <class OurResult, class... Ours, class TheirResult, class... Theirs>
constexpr bool calledAlike(OurResult (*)(Ours...), TheirResult (*)(Theirs...)) {
  if constexpr (sizeof...(Ours) != sizeof...(Theirs))
    return false;
  else
    return passedAlike<OurResult, TheirResult> && (passedAlike<Ours, Theirs> && ...);
}

static_assert(same(Status::success, CUBLAS_STATUS_SUCCESS));
static_assert(same(Status::notInitialized, CUBLAS_STATUS_NOT_INITIALIZED));
static_assert(same(Status::allocFailed, CUBLAS_STATUS_ALLOC_FAILED));
static_assert(same(Status::invalidValue, CUBLAS_STATUS_INVALID_VALUE));
static_assert(same(Status::archMismatch, CUBLAS_STATUS_ARCH_MISMATCH));
static_assert(same(Status::notSupported, CUBLAS_STATUS_NOT_SUPPORTED));

static_assert(same(DataType::fp32, CUDA_R_32F));
static_assert(same(DataType::bf16, CUDA_R_16BF));
static_assert(same(ComputeType::fp32, CUBLAS_COMPUTE_32F));
static_assert(same(ComputeType::fastTf32, CUBLAS_COMPUTE_32F_FAST_TF32));
static_assert(same(Operation::none, CUBLAS_OP_N));
static_assert(same(Operation::transpose, CUBLAS_OP_T));

static_assert(same(DescriptionAttribute::transposeA, CUBLASLT_MATMUL_DESC_TRANSA));
static_assert(same(DescriptionAttribute::transposeB, CUBLASLT_MATMUL_DESC_TRANSB));
static_assert(same(LayoutAttribute::batchCount, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT));
static_assert(same(LayoutAttribute::batchStride, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET));
static_assert(same(PreferenceAttribute::maxWorkspaceBytes, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES));
static_assert(same(PreferenceAttribute::reductionSchemes, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK));
static_assert(same(PreferenceAttribute::alignmentA, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES));
static_assert(same(PreferenceAttribute::alignmentB, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES));
static_assert(same(PreferenceAttribute::alignmentC, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES));
static_assert(same(PreferenceAttribute::alignmentD, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES));
static_assert(same(ReductionScheme::inPlace, CUBLASLT_REDUCTION_SCHEME_INPLACE));
static_assert(same(ReductionScheme::computeType, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
static_assert(same(ReductionScheme::outputType, CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE));

static_assert(sizeof(Algorithm) == sizeof(cublasLtMatmulAlgo_t) && alignof(Algorithm) == alignof(cublasLtMatmulAlgo_t));
static_assert(sizeof(HeuristicResult) == sizeof(cublasLtMatmulHeuristicResult_t));
static_assert(offsetof(HeuristicResult, algorithm) == offsetof(cublasLtMatmulHeuristicResult_t, algo));
static_assert(offsetof(HeuristicResult, workspaceBytes) == offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize));
static_assert(offsetof(HeuristicResult, state) == offsetof(cublasLtMatmulHeuristicResult_t, state));
static_assert(offsetof(HeuristicResult, waves) == offsetof(cublasLtMatmulHeuristicResult_t, wavesCount));

constexpr Functions none{};
static_assert(calledAlike(none.getVersion, decltype(&cublasLtGetVersion){}));
static_assert(calledAlike(none.getStatusName, decltype(&cublasLtGetStatusName){}));
static_assert(calledAlike(none.getStatusString, decltype(&cublasLtGetStatusString){}));
static_assert(calledAlike(none.create, decltype(&cublasLtCreate){}));
static_assert(calledAlike(none.destroy, decltype(&cublasLtDestroy){}));
static_assert(calledAlike(none.descriptionCreate, decltype(&cublasLtMatmulDescCreate){}));
static_assert(calledAlike(none.descriptionDestroy, decltype(&cublasLtMatmulDescDestroy){}));
static_assert(calledAlike(none.descriptionSet, decltype(&cublasLtMatmulDescSetAttribute){}));
static_assert(calledAlike(none.layoutCreate, decltype(&cublasLtMatrixLayoutCreate){}));
static_assert(calledAlike(none.layoutDestroy, decltype(&cublasLtMatrixLayoutDestroy){}));
static_assert(calledAlike(none.layoutSet, decltype(&cublasLtMatrixLayoutSetAttribute){}));
static_assert(calledAlike(none.preferenceCreate, decltype(&cublasLtMatmulPreferenceCreate){}));
static_assert(calledAlike(none.preferenceDestroy, decltype(&cublasLtMatmulPreferenceDestroy){}));
static_assert(calledAlike(none.preferenceSet, decltype(&cublasLtMatmulPreferenceSetAttribute){}));
static_assert(calledAlike(none.getHeuristic, decltype(&cublasLtMatmulAlgoGetHeuristic){}));
static_assert(calledAlike(none.matmul, decltype(&cublasLtMatmul){}));

}  // namespace
#endif
