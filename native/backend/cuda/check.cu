// What a person can do about CUDA's errors.
#include "backend/cuda/check.h"

#include "backend/cuda/driver.h"

namespace muonscope::cuda {

std::string remedy(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation:
      return " Close what else uses the GPU's memory (`nvidia-smi` shows it), or make the model, the batch or the context "
             "smaller.";
    case cudaErrorInsufficientDriver:
    case cudaErrorStubLibrary:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorUnsupportedPtxVersion:
      return " " + driverAdvice();
    case cudaErrorNoDevice:
      return " The driver shows no NVIDIA GPU: see that `nvidia-smi` lists one and that CUDA_VISIBLE_DEVICES does not hide it; a "
             "container has to be started with its GPUs (docker: --gpus all).";
    case cudaErrorDevicesUnavailable:
      return " Another process holds the GPU, or its compute mode forbids this one (`nvidia-smi -q -d COMPUTE`): end that "
             "process, set the mode with `nvidia-smi -c DEFAULT`, or choose another device.";
    case cudaErrorSystemNotReady:
      return " A service that this machine's GPUs need does not run: on machines with NVSwitch start nvidia-fabricmanager, in "
             "the driver's version.";
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
      return " This build has no code for this GPU: choose another device, or build from source on this machine.";
    // After these the process can use the GPU no more (CUDA Runtime API, cudaError_t).
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContained:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorUnknown:
      return " The GPU is lost to this process. Checkpoints are good: resume from the last one. When it comes again, look "
             "for \"Xid\" in `dmesg`: it tells a fault of the machine from one of this program.";
    default:
      return "";
  }
}

}  // namespace muonscope::cuda
