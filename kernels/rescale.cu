#include "common.cuh"

// power = sum |waves|^2; first stage
KERNEL total_power(
    double* partials,      // [parts, 1]
    const complex* waves,  // [count]
    size_t count,
    int parts) {
    Part at = part(parts);
    double sums[1] = {0};
    for (size_t i = at.first; i < count; i += at.stride)
        sums[0] += double(waves[i].x) * double(waves[i].x) + double(waves[i].y) * double(waves[i].y);
    store_part(partials, sums);
}

// waves *= sqrt(target / power)
KERNEL rescale_power(
    complex* waves,       // [count] in place
    const double* power,  // [1]
    double target,
    size_t count) {
    size_t i = element();
    if (i < count) waves[i] = real(sqrt(target / power[0])) * waves[i];
}
