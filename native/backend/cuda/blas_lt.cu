// Plain matrix products by cuBLASLt. Its matrices are column-major: a row-major matrix is the transposed one to it, and
// Dᵀ = op(B)ᵀ·op(A)ᵀ, so A and B change places and nothing is transposed.
#include "backend/cuda/blas_lt.h"

#include <algorithm>
#include <stdexcept>

#include "backend/cuda/element.cuh"
#include "backend/cuda/memory_pool.h"

namespace muonscope::cuda {
namespace {

using cublaslt::Status;

// What cuBLAS recommends for Hopper (cuBLAS documentation, "cublasSetWorkspace").
constexpr int64_t workspaceBytes = int64_t{32} << 20;
// The strictest alignment that cuBLASLt asks about, and that of its workspace (cublasLt.h, MIN_ALIGNMENT; cublasSetWorkspace).
constexpr int64_t strictestAlignment = 256;

int64_t bytesOf(Element element) { return element == Element::fp32 ? 4 : 2; }
cublaslt::DataType typeOf(Element element) {
  return element == Element::fp32 ? cublaslt::DataType::fp32 : cublaslt::DataType::bf16;
}
std::string nameOf(Element element) { return element == Element::fp32 ? "fp32" : "bf16"; }

std::string shape(const BlasMatrix& m, bool transposed = false) {
  return "[" + std::to_string(m.rows) + ", " + std::to_string(m.cols) + "]" + (transposed ? "ᵀ" : "");
}

std::string words(const BlasProduct& p) {
  return (p.count == 1 ? "" : std::to_string(p.count) + " of ") + shape(p.d) + " = " + shape(p.a, p.transposeA) + "·" +
         shape(p.b, p.transposeB) + " from " + nameOf(p.a.element) + (p.tf32 ? " by way of tf32" : "") + " to " +
         nameOf(p.d.element);
}

int64_t innerSize(const BlasProduct& p) { return p.transposeA ? p.a.rows : p.a.cols; }

void checkShapes(const BlasProduct& p) {
  const int64_t aRows = p.transposeA ? p.a.cols : p.a.rows;
  const int64_t bRows = p.transposeB ? p.b.cols : p.b.rows, bCols = p.transposeB ? p.b.rows : p.b.cols;
  if (aRows != p.d.rows || bCols != p.d.cols || bRows != innerSize(p))
    throw std::runtime_error("matmul: expected shapes that fit, received " + shape(p.d) + " = " + shape(p.a, p.transposeA) + "·" +
                             shape(p.b, p.transposeB));
  if (p.beta != 0 && (p.c.rows != p.d.rows || p.c.cols != p.d.cols))
    throw std::runtime_error("matmul: expected a summand of the result's shape " + shape(p.d) + ", received " + shape(p.c));
  for (const BlasMatrix* m : {&p.d, p.beta == 0 ? &p.d : &p.c, &p.a, &p.b})
    if (m->leading < m->cols)
      throw std::runtime_error("matmul: expected rows of " + shape(*m) + " that lie one after the other, received one every " +
                               std::to_string(m->leading) + " elements");
}

void checkTypes(const BlasProduct& p) {
  const bool fit = p.a.element == p.b.element && (p.beta == 0 || p.c.element == p.d.element) &&
                   (p.d.element == Element::fp32 || p.d.element == p.a.element) && !(p.tf32 && p.a.element != Element::fp32);
  if (!fit)
    throw std::runtime_error(
        "matmul: expected A and B of one type, C and D of that or of fp32, and tf32 only of fp32, received A " +
        nameOf(p.a.element) + ", B " + nameOf(p.b.element) + ", C " + nameOf(p.c.element) + ", D " + nameOf(p.d.element) +
        (p.tf32 ? ", tf32" : ""));
}

// Of every matrix of the batch.
int64_t alignmentOf(const BlasMatrix& m) {
  const uint64_t bits =
      reinterpret_cast<uintptr_t>(m.data) | static_cast<uint64_t>(m.stride * bytesOf(m.element)) | strictestAlignment;
  return static_cast<int64_t>(bits & (~bits + 1));  // the lowest bit that is set
}

// D = beta·C, what is left of a product without an inner size. With beta 0, C is not read.
template <class T>
__global__ void scaledKernel(T* d, int64_t dLeading, int64_t dStride, const T* c, int64_t cLeading, int64_t cStride, int64_t rows,
                             int64_t cols, int64_t total, float beta) {
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < total; i += int64_t{gridDim.x} * blockDim.x) {
    const int64_t matrix = i / (rows * cols), row = i / cols % rows, col = i % cols;
    const float old = beta == 0 ? 0 : beta * toFloat(c[matrix * cStride + row * cLeading + col]);
    d[matrix * dStride + row * dLeading + col] = fromFloat<T>(old);
  }
}

void scaleOnly(const Stream& stream, const BlasProduct& p) {
  constexpr int threads = 256;  // any number fills the device
  const int64_t total = p.count * p.d.rows * p.d.cols;
  withComputeType(bytesOf(p.d.element), [&](auto element) {
    using T = decltype(element);
    launch(stream, scaledKernel<T>, gridFor(stream, total, threads), threads, 0, static_cast<T*>(p.d.data), p.d.leading,
           p.d.stride, static_cast<const T*>(p.c.data), p.c.leading, p.c.stride, p.d.rows, p.d.cols, total, p.beta);
  });
}

template <class T>
std::unique_ptr<T, Status (*)(T*)> hold(T* handle, Status (*destroy)(T*)) {
  return {handle, destroy};
}

cublaslt::Loaded loadOrThrow() {
  cublaslt::Loaded loaded = cublaslt::load();
  if (!loaded.problem.empty()) throw std::runtime_error(loaded.problem);
  return loaded;
}

}  // namespace

std::string BlasLt::problem() { return cublaslt::load().problem; }

BlasLt::BlasLt(const Stream& stream, MemoryPool& pool)
    : loaded_(loadOrThrow()), stream_(stream), pool_(pool), context_(nullptr, loaded_.functions.destroy) {
  cuda::check(cudaSetDevice(stream_.device), "choosing the device");
  cublaslt::Context* context = nullptr;
  check(loaded_.functions.create(&context), "starting " + loaded_.version);
  context_.reset(context);
  workspace_ = pool_.allocate(workspaceBytes);
}

BlasLt::~BlasLt() { pool_.release(workspace_); }

void BlasLt::check(Status status, const std::string& what) const {
  if (status == Status::success) return;
  std::string remedy;
  if (status == Status::notInitialized)
    remedy =
        " The NVIDIA driver is missing or too old for this cuBLASLt, or the GPU's memory is full: see what `nvidia-smi` says.";
  if (status == Status::allocFailed)
    remedy = " The GPU's memory is full: end what else uses it, or train a smaller model or batch.";
  if (status == Status::archMismatch || status == Status::notSupported)
    remedy = " This GPU or this version does not do it: install a newer cuBLASLt, or choose precision fp32.";
  throw std::runtime_error(what + ": cuBLASLt answered " + loaded_.functions.getStatusName(status) + " (" +
                           loaded_.functions.getStatusString(status) + ")." + remedy);
}

BlasLt::Handle<cublaslt::Description> BlasLt::describe(const BlasProduct& p) const {
  const auto& f = loaded_.functions;
  cublaslt::Description* made = nullptr;
  check(f.descriptionCreate(&made, p.tf32 ? cublaslt::ComputeType::fastTf32 : cublaslt::ComputeType::fp32,
                            cublaslt::DataType::fp32),
        "describing a product");
  auto description = hold(made, f.descriptionDestroy);
  const auto set = [&](cublaslt::DescriptionAttribute attribute, bool transposed) {
    const auto operation = transposed ? cublaslt::Operation::transpose : cublaslt::Operation::none;
    check(f.descriptionSet(made, attribute, &operation, sizeof(operation)), "describing a product");
  };
  set(cublaslt::DescriptionAttribute::transposeA, p.transposeB);
  set(cublaslt::DescriptionAttribute::transposeB, p.transposeA);
  return description;
}

BlasLt::Handle<cublaslt::Layout> BlasLt::layOut(const BlasMatrix& m, int64_t count) const {
  const auto& f = loaded_.functions;
  cublaslt::Layout* made = nullptr;
  check(f.layoutCreate(&made, typeOf(m.element), static_cast<uint64_t>(m.cols), static_cast<uint64_t>(m.rows), m.leading),
        "describing a matrix");
  auto layout = hold(made, f.layoutDestroy);
  const auto matrices = static_cast<int32_t>(count);
  check(f.layoutSet(made, cublaslt::LayoutAttribute::batchCount, &matrices, sizeof(matrices)), "describing a batch");
  check(f.layoutSet(made, cublaslt::LayoutAttribute::batchStride, &m.stride, sizeof(m.stride)), "describing a batch");
  return layout;
}

BlasLt::Handle<cublaslt::Preference> BlasLt::prefer(const BlasProduct& p) const {
  const auto& f = loaded_.functions;
  cublaslt::Preference* made = nullptr;
  check(f.preferenceCreate(&made), "choosing an algorithm");
  auto preference = hold(made, f.preferenceDestroy);
  const auto set = [&](cublaslt::PreferenceAttribute attribute, auto value) {
    check(f.preferenceSet(made, attribute, &value, sizeof(value)), "choosing an algorithm");
  };
  set(cublaslt::PreferenceAttribute::maxWorkspaceBytes, uint64_t{workspaceBytes});
  // Parts of a long sum are not rounded to bf16 before they are added.
  if (p.d.element == Element::bf16) set(cublaslt::PreferenceAttribute::reductionSchemes, cublaslt::ReductionScheme::computeType);
  set(cublaslt::PreferenceAttribute::alignmentA, static_cast<uint32_t>(alignmentOf(p.b)));
  set(cublaslt::PreferenceAttribute::alignmentB, static_cast<uint32_t>(alignmentOf(p.a)));
  set(cublaslt::PreferenceAttribute::alignmentC, static_cast<uint32_t>(alignmentOf(p.c)));
  set(cublaslt::PreferenceAttribute::alignmentD, static_cast<uint32_t>(alignmentOf(p.d)));
  return preference;
}

BlasLt::Plan BlasLt::makePlan(const BlasProduct& p) const {
  Plan plan{describe(p), layOut(p.b, p.count), layOut(p.a, p.count), layOut(p.c, p.count), layOut(p.d, p.count), {}};
  const auto preference = prefer(p);
  int32_t found = 0;
  check(loaded_.functions.getHeuristic(context_.get(), plan.description.get(), plan.a.get(), plan.b.get(), plan.c.get(),
                                       plan.d.get(), preference.get(), 1, &plan.choice, &found),
        "choosing an algorithm for " + words(p));
  check(found == 1 ? plan.choice.state : Status::notSupported, "choosing an algorithm for " + words(p));
  return plan;
}

BlasLt::Key BlasLt::keyOf(const BlasProduct& p) {
  Key key{p.count, p.transposeA, p.transposeB, p.tf32};
  size_t next = 4;
  for (const BlasMatrix* m : {&p.d, &p.c, &p.a, &p.b})
    for (const int64_t value : {int64_t(m->element), m->rows, m->cols, m->leading, m->stride, alignmentOf(*m)})
      key.at(next++) = value;
  return key;
}

const BlasLt::Plan& BlasLt::planFor(const BlasProduct& p) {
  const Key key = keyOf(p);
  const auto known = plans_.find(key);
  return known != plans_.end() ? known->second : plans_.emplace(key, makePlan(p)).first->second;
}

void BlasLt::matmul(const BlasProduct& product) {
  checkShapes(product);
  checkTypes(product);
  BlasProduct p = product;
  if (p.beta == 0) p.c = p.d;
  if (p.count == 1) p.a.stride = p.b.stride = p.c.stride = p.d.stride = 0;
  if (p.count == 0 || p.d.rows == 0 || p.d.cols == 0) return;
  if (innerSize(p) == 0) return scaleOnly(stream_, p);
  cuda::check(cudaSetDevice(stream_.device), "choosing the device");
  const Plan& plan = planFor(p);
  check(loaded_.functions.matmul(context_.get(), plan.description.get(), &p.alpha, p.b.data, plan.a.get(), p.a.data, plan.b.get(),
                                 &p.beta, p.c.data, plan.c.get(), p.d.data, plan.d.get(), &plan.choice.algorithm, workspace_,
                                 plan.choice.workspaceBytes, stream_.handle),
        "multiplying " + words(p));
}

}  // namespace muonscope::cuda
