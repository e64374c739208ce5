// The C interface of whichever BLAS CMake found, and the Fortran symbols of LAPACK.
#pragma once

#include <string>

#if defined(MUONSCOPE_ACCELERATE)
#include <Accelerate/Accelerate.h>
#elif defined(MUONSCOPE_MKL_HEADER)
#include <mkl_cblas.h>
#else
#include <cblas.h>
#endif

namespace muonscope {

// The backend splits products over its own threads, and two pools fight (measured: a factor of two), so the BLAS
// is set to one thread a call.
void useSerialBlas();

// "OpenBLAS 0.3.21 (Zen)"
std::string blasName();

}  // namespace muonscope
