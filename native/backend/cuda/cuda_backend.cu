// Making and ending the backend: which device, in which precision.
#include "backend/cuda/cuda_backend.h"

#include <stdexcept>

#include "backend/cuda/blas_lt.h"
#include "backend/cuda/devices.h"
#include "backend/cuda/graph.h"
#include "backend/cuda/memory_pool.h"
#include "backend/cuda/peers.h"

namespace muonscope::cuda {
namespace {

// bf16 products are the fastest on every device that is supported.
Precision parsePrecision(const std::string& name) {
  if (name == "auto" || name == "bf16") return Precision::bf16;
  if (name == "tf32") return Precision::tf32;
  if (name == "fp32") return Precision::fp32;
  throw std::invalid_argument("precision: expected \"fp32\", \"tf32\", \"bf16\" or \"auto\" (bf16) on a GPU, received \"" + name +
                              "\".");
}

void open(Stream& stream, std::array<cudaEvent_t, 4>& marks, cudaEvent_t& reached, int device) {
  check(cudaSetDevice(device), "choosing the device");
  stream.device = device;
  check(cudaDeviceGetAttribute(&stream.multiprocessors, cudaDevAttrMultiProcessorCount, device), "asking what the GPU is");
  check(cudaDeviceGetAttribute(&stream.major, cudaDevAttrComputeCapabilityMajor, device), "asking what the GPU is");
  check(cudaStreamCreateWithFlags(&stream.handle, cudaStreamNonBlocking), "opening a stream of work");
  for (cudaEvent_t& mark : marks) check(cudaEventCreate(&mark), "making a mark for the work");
  check(cudaEventCreateWithFlags(&reached, cudaEventDisableTiming), "making a mark for the work");
}

// Errors can only be those of a device that is lost: they were told when they came, and there is nothing left to free.
void close(const Stream& stream, const std::array<cudaEvent_t, 4>& marks, cudaEvent_t reached) noexcept {
  for (cudaEvent_t mark : marks)
    if (mark) cudaEventDestroy(mark);
  if (reached) cudaEventDestroy(reached);
  if (stream.handle) cudaStreamDestroy(stream.handle);
  cudaGetLastError();
}

}  // namespace

std::string nameOf(Precision precision) {
  return precision == Precision::bf16 ? "bf16" : precision == Precision::tf32 ? "tf32" : "fp32";
}

CudaBackend::CudaBackend(const BackendOptions& options, void (*symmetricEigenvalues)(double*, double*, int64_t))
    : precision_(parsePrecision(options.precision)), eigenvalues_(symmetricEigenvalues) {
  const std::vector<Device> devices = listDevices();
  const Device& device = chooseDevice(devices, options.device);
  use_ = std::make_unique<PeerUse>(options.device);
  try {
    open(stream_, marks_, reached_, options.device);
    pool_ = std::make_unique<MemoryPool>(stream_);
    scratch_ = std::make_unique<Scratch>(*pool_);
    graph_ = std::make_unique<Graph>(stream_);
    blas_ = std::make_unique<BlasLt>(stream_, *pool_);
  } catch (...) {
    close(stream_, marks_, reached_);
    throw;
  }
  const int64_t computeBytes = precision_ == Precision::bf16 ? 2 : 4;
  info_ = {"cuda", device.words() + ", " + nameOf(precision_) + ", " + blas_->version(), 1, computeBytes};
}

CudaBackend::~CudaBackend() {
  cudaSetDevice(stream_.device);
  cudaStreamSynchronize(stream_.handle);
  // What they hold is of the stream.
  graph_.reset();
  blas_.reset();
  close(stream_, marks_, reached_);
}

}  // namespace muonscope::cuda
