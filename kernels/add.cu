#include "common.cuh"

// target += source
KERNEL add(
    VALUE* target,        // [count] accumulated into
    const VALUE* source,  // [count]
    size_t count) {
    size_t i = element();
    if (i < count) target[i] += source[i];
}
