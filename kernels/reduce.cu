// Second stage of every sum: one block adds the parts of one (row, component) in a fixed order.
#include "common.cuh"

DEVICE double sum_parts(const double* partials, int parts, int components) {
    int row = blockIdx.x / components, component = blockIdx.x % components;
    double sum[1] = {0};
    for (int p = threadIdx.x; p < parts; p += THREADS)
        sum[0] += partials[(size_t(row) * parts + p) * components + component];
    block_sum(sum);
    return sum[0];
}

// sums[r, k] = sum_p partials[r, p, k]
KERNEL reduce(
    double* sums,            // [rows, components]
    const double* partials,  // [rows, parts, components]
    int parts,
    int components) {
    double sum = sum_parts(partials, parts, components);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// target[r, k] += sum_p partials[r, p, k]
KERNEL reduce_add(
    real* target,            // [rows, components] accumulated into
    const double* partials,  // [rows, parts, components]
    int parts,
    int components) {
    double sum = sum_parts(partials, parts, components);
    if (threadIdx.x == 0) target[blockIdx.x] += real(sum);
}
