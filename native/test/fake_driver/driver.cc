// Stands in for NVIDIA's driver where tests run the CUDA backend over its stand-in: the addon looks whether a libcuda.so.1 is
// there before it loads anything of CUDA.
