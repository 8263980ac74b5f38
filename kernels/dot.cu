#include "common.cuh"

// sum = sum_i a_i b_i; first stage
KERNEL dot(
    double* partials,  // [parts, 1]
    const real* a,     // [count]; complex arrays as pairs of reals: Re sum conj(a) b
    const real* b,     // [count]
    size_t count,
    int parts) {
    Part at = part(parts);
    double sums[1] = {0};
    for (size_t i = at.first; i < count; i += at.stride) sums[0] += double(a[i]) * double(b[i]);
    store_part(partials, sums);
}
