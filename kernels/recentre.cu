#include "common.cuh"

// sums = sum_i shifts[i]; first stage
KERNEL recentre_sums(
    double* partials,    // [parts, 2]
    const real* shifts,  // [N, 2]
    size_t count,        // N
    int parts) {
    Part at = part(parts);
    double sums[2] = {0, 0};
    for (size_t i = at.first; i < count; i += at.stride) {
        sums[0] += shifts[2 * i];
        sums[1] += shifts[2 * i + 1];
    }
    store_part(partials, sums);
}

// shifts -= rest sums / N
KERNEL recentre(
    real* shifts,        // [N, 2] in place
    const double* sums,  // [2]
    double rest,         // 1 - relax
    size_t count) {      // 2 N
    size_t i = element();
    if (i < count) shifts[i] -= real(rest * sums[i % 2] / double(count / 2));
}
