#include "common.cuh"

// counts[0] += number of values that are NaN or infinite
KERNEL count_nonfinite(
    int* counts,          // [1] accumulated into
    const VALUE* values,  // [count]
    size_t count) {
    size_t i = element();
    if (i < count && !is_finite(values[i])) atomicAdd(counts, 1);
}
