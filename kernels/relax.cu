#include "common.cuh"

// values = relax before + (1 - relax) values
KERNEL relax(
    real* values,        // [count] in place
    const real* before,  // [count]
    real relax,
    real rest,  // 1 - relax
    size_t count) {
    size_t i = element();
    if (i < count) values[i] = relax * before[i] + rest * values[i];
}
