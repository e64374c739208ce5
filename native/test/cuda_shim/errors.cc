// Errors: their names, the last one, and those that tests ask for.
#include <cstdlib>
#include <utility>

#include "test/cuda_shim/call.h"
#include "test/cuda_shim/runtime.h"

namespace cudaShim {

namespace {

thread_local cudaError_t lastError = cudaSuccess;

struct Failure {
  int calls = 0;  // until it fails; 0: it does not
  cudaError_t error = cudaSuccess;
  std::string name;
};
Failure failure;

}  // namespace

std::recursive_mutex& apiLock() {
  static std::recursive_mutex lock;
  return lock;
}

cudaError_t wantedFailure(const char* name) {
  if (failure.calls == 0 || (!failure.name.empty() && failure.name != name)) return cudaSuccess;
  return --failure.calls == 0 ? failure.error : cudaSuccess;
}

void remember(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) lastError = error;
}

void failCall(int n, cudaError_t error, const std::string& name) {
  const std::lock_guard lock(apiLock());
  failure = {n, error, name};
}

void failNoCall() { failCall(0, cudaSuccess); }

Settings& settings() {
  static Settings all = [] {
    Settings initial;
    const char* late = std::getenv("MUONSCOPE_SHIM_LATE");
    initial.late = late && std::string(late) == "1";
    if (const char* devices = std::getenv("MUONSCOPE_SHIM_DEVICES")) initial.devices = std::stoi(devices);
    return initial;
  }();
  return all;
}

}  // namespace cudaShim

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define CUDA_SHIM_ERROR(name) \
  case name: return #name;
    CUDA_SHIM_ERROR(cudaSuccess)
    CUDA_SHIM_ERROR(cudaErrorInvalidValue)
    CUDA_SHIM_ERROR(cudaErrorMemoryAllocation)
    CUDA_SHIM_ERROR(cudaErrorInitializationError)
    CUDA_SHIM_ERROR(cudaErrorInvalidConfiguration)
    CUDA_SHIM_ERROR(cudaErrorStubLibrary)
    CUDA_SHIM_ERROR(cudaErrorInsufficientDriver)
    CUDA_SHIM_ERROR(cudaErrorDevicesUnavailable)
    CUDA_SHIM_ERROR(cudaErrorInvalidDeviceFunction)
    CUDA_SHIM_ERROR(cudaErrorNoDevice)
    CUDA_SHIM_ERROR(cudaErrorInvalidDevice)
    CUDA_SHIM_ERROR(cudaErrorNoKernelImageForDevice)
    CUDA_SHIM_ERROR(cudaErrorECCUncorrectable)
    CUDA_SHIM_ERROR(cudaErrorPeerAccessUnsupported)
    CUDA_SHIM_ERROR(cudaErrorNvlinkUncorrectable)
    CUDA_SHIM_ERROR(cudaErrorUnsupportedPtxVersion)
    CUDA_SHIM_ERROR(cudaErrorContained)
    CUDA_SHIM_ERROR(cudaErrorInvalidResourceHandle)
    CUDA_SHIM_ERROR(cudaErrorIllegalState)
    CUDA_SHIM_ERROR(cudaErrorNotReady)
    CUDA_SHIM_ERROR(cudaErrorIllegalAddress)
    CUDA_SHIM_ERROR(cudaErrorLaunchOutOfResources)
    CUDA_SHIM_ERROR(cudaErrorLaunchTimeout)
    CUDA_SHIM_ERROR(cudaErrorPeerAccessAlreadyEnabled)
    CUDA_SHIM_ERROR(cudaErrorPeerAccessNotEnabled)
    CUDA_SHIM_ERROR(cudaErrorHardwareStackError)
    CUDA_SHIM_ERROR(cudaErrorIllegalInstruction)
    CUDA_SHIM_ERROR(cudaErrorMisalignedAddress)
    CUDA_SHIM_ERROR(cudaErrorInvalidAddressSpace)
    CUDA_SHIM_ERROR(cudaErrorInvalidPc)
    CUDA_SHIM_ERROR(cudaErrorLaunchFailure)
    CUDA_SHIM_ERROR(cudaErrorNotPermitted)
    CUDA_SHIM_ERROR(cudaErrorNotSupported)
    CUDA_SHIM_ERROR(cudaErrorSystemNotReady)
    CUDA_SHIM_ERROR(cudaErrorSystemDriverMismatch)
    CUDA_SHIM_ERROR(cudaErrorStreamCaptureUnsupported)
    CUDA_SHIM_ERROR(cudaErrorStreamCaptureInvalidated)
    CUDA_SHIM_ERROR(cudaErrorStreamCaptureMerge)
    CUDA_SHIM_ERROR(cudaErrorStreamCaptureUnmatched)
    CUDA_SHIM_ERROR(cudaErrorStreamCaptureUnjoined)
    CUDA_SHIM_ERROR(cudaErrorStreamCaptureIsolation)
    CUDA_SHIM_ERROR(cudaErrorStreamCaptureImplicit)
    CUDA_SHIM_ERROR(cudaErrorCapturedEvent)
    CUDA_SHIM_ERROR(cudaErrorStreamCaptureWrongThread)
    CUDA_SHIM_ERROR(cudaErrorGraphExecUpdateFailure)
    CUDA_SHIM_ERROR(cudaErrorUnknown)
#undef CUDA_SHIM_ERROR
  }
  return "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) { return error == cudaSuccess ? "no error" : "an emulated device's error"; }
cudaError_t cudaGetLastError() { return std::exchange(cudaShim::lastError, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return cudaShim::lastError; }
