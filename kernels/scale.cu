#include "common.cuh"

// values *= factor
KERNEL scale(
    real* values,  // [count] in place
    real factor,
    size_t count) {
    size_t i = element();
    if (i < count) values[i] *= factor;
}
