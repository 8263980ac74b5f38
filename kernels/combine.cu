#include "common.cuh"

// target = keep target + factor source
KERNEL combine(
    real* target,        // [count] in place
    const real* source,  // [count]
    real keep,
    real factor,
    size_t count) {
    size_t i = element();
    if (i < count) target[i] = keep * target[i] + factor * source[i];
}
