// L = sum_o occupancy[o] (S_o / count)^(1 / order), S_o = sum coverage |phase|^order
#include "common.cuh"

DEVICE real integer_power(real base, int exponent) {
    real result = 1;
    for (int i = 0; i < exponent; ++i) result *= base;
    return result;
}

// S_o; first stage, a row is an object mode
KERNEL sparsity_statistics(
    double* partials,     // [o, parts, 1]
    const real* phase,    // [o, z, Y, X]
    const int* coverage,  // [Y, X]
    int order,
    size_t canvas,   // Y X
    size_t columns,  // z Y X
    int parts) {
    Part at = part(parts);
    double sums[1] = {0};
    for (size_t i = at.first; i < columns; i += at.stride) {
        int covered = coverage[i - divide(i, canvas) * canvas];
        if (covered) sums[0] += covered * double(integer_power(fabs(phase[at.row * columns + i]), order));
    }
    store_part(partials, sums);
}

// value = L
KERNEL sparsity_value(
    double* value,             // [1]
    const double* statistics,  // [o]
    const real* occupancy,     // [o]
    double count,
    int order,
    int object_modes) {
    if (element() != 0) return;
    double sum = 0;
    for (int o = 0; o < object_modes; ++o) sum += double(occupancy[o]) * pow(statistics[o] / count, 1.0 / order);
    value[0] = sum;
}

// grad_phase += factor dL/dphase = factor occupancy (S / count)^(1/order - 1) / count coverage |phase|^(order-1) sign
KERNEL sparsity_gradient(
    real* grad_phase,          // [o, z, Y, X] accumulated into
    const real* phase,         // [o, z, Y, X]
    const int* coverage,       // [Y, X]
    const double* statistics,  // [o]
    const real* occupancy,     // [o]
    double count,
    double factor,
    int order,
    size_t canvas,   // Y X
    size_t columns,  // z Y X
    size_t total) {  // o z Y X
    size_t i = element();
    if (i >= total) return;
    size_t mode = divide(i, columns), offset = i - mode * columns;
    int covered = coverage[offset - divide(offset, canvas) * canvas];
    real value = phase[i];
    if (value == 0 || covered == 0 || statistics[mode] == 0) return;
    double outer = factor * double(occupancy[mode]) * pow(statistics[mode] / count, 1.0 / order - 1) / count;
    real slope = covered * integer_power(fabs(value), order - 1);
    grad_phase[i] += real(outer) * (value > 0 ? slope : -slope);
}
