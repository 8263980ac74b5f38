#include "common.cuh"

// values *= factor, which is on the device
KERNEL multiply(
    real* values,          // [count] in place
    const double* factor,  // [1]
    size_t count) {
    size_t i = element();
    if (i < count) values[i] *= real(factor[0]);
}
