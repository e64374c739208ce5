// Asks the BLAS that was linked for its name, and sets it to one thread. Vendors' own functions are weak symbols:
// those of the BLAS that is not here are null.
#include "backend/cpu/blas.h"

#include <sstream>

extern "C" {
__attribute__((weak)) void openblas_set_num_threads(int);
__attribute__((weak)) char* openblas_get_config(void);
__attribute__((weak)) char* openblas_get_corename(void);
__attribute__((weak)) void MKL_Set_Num_Threads(int);
__attribute__((weak)) void MKL_Get_Version_String(char*, int);
}

namespace muonscope {

void useSerialBlas() {
  if (openblas_set_num_threads) openblas_set_num_threads(1);
  if (MKL_Set_Num_Threads) MKL_Set_Num_Threads(1);
}

std::string blasName() {
#if defined(MUONSCOPE_ACCELERATE)
  return "Accelerate";
#else
  if (openblas_get_config && openblas_get_corename) {
    // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH NO_AFFINITY Zen MAX_THREADS=64": its first two words.
    std::istringstream words(openblas_get_config());
    std::string name, version;
    words >> name >> version;
    return name + " " + version + " (" + openblas_get_corename() + ")";
  }
  if (MKL_Get_Version_String) return "MKL";
  return "BLAS";
#endif
}

}  // namespace muonscope
