// Dynamic shared memory of a kernel, as any type.
#pragma once

namespace muonscope::cuda {

template <class T>
__device__ T* sharedMemory() {
  extern __shared__ __align__(128) unsigned char bytes[];
  return reinterpret_cast<T*>(bytes);
}

}  // namespace muonscope::cuda
