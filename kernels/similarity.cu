// Sum over pixels of the unbiased standard deviation over object modes of v_o = occupancy[o] patches[i, o, s].
#include "common.cuh"

// In double: modes that are nearly alike differ by less than float32 can tell after the mean is taken away.
// The first mode is taken away before anything is averaged: equal modes then deviate by exactly 0.
struct Spread {
    double first, mean, deviation;  // mean is that of v - first
};
DEVICE Spread spread(const real* patches, const real* occupancy, size_t first, size_t stride, int object_modes) {
    double origin = double(occupancy[0]) * double(patches[first]), mean = 0, squares = 0;
    for (int o = 1; o < object_modes; ++o) mean += double(occupancy[o]) * double(patches[first + o * stride]) - origin;
    mean /= object_modes;
    for (int o = 0; o < object_modes; ++o) {
        double away = double(occupancy[o]) * double(patches[first + o * stride]) - origin - mean;
        squares += away * away;
    }
    return {origin, mean, object_modes > 1 ? sqrt(squares / (object_modes - 1)) : 0.0};
}

// first stage, a row is a pattern
KERNEL similarity_statistics(
    double* partials,       // [n, parts, 1]
    const real* patches,    // [n, o, columns]
    const real* occupancy,  // [o]
    int object_modes,
    size_t columns,  // z y x
    int parts) {
    Part at = part(parts);
    double sums[1] = {0};
    for (size_t i = at.first; i < columns; i += at.stride)
        sums[0] += spread(patches, occupancy, size_t(at.row) * object_modes * columns + i, columns, object_modes)
                       .deviation;
    store_part(partials, sums);
}

// value = statistics / count
KERNEL similarity_value(
    double* value,             // [1]
    const double* statistics,  // [1]
    double count) {
    if (element() == 0) value[0] = statistics[0] / count;
}

// grad_patches = factor occupancy (v_o - mean) / ((o - 1) deviation), 0 where the deviation is 0
KERNEL similarity_gradient(
    real* grad_patches,     // [n, o, columns]
    const real* patches,    // [n, o, columns]
    const real* occupancy,  // [o]
    double factor,
    int object_modes,
    size_t columns,  // z y x
    size_t total) {  // n z y x
    size_t i = element();
    if (i >= total) return;
    size_t pattern = divide(i, columns), first = pattern * object_modes * columns + (i - pattern * columns);
    Spread s = spread(patches, occupancy, first, columns, object_modes);
    for (int o = 0; o < object_modes; ++o) {
        double weight = occupancy[o], away = weight * double(patches[first + o * columns]) - s.first - s.mean;
        grad_patches[first + o * columns] =
            s.deviation > 0 ? real(factor * weight * away / ((object_modes - 1) * s.deviation)) : real(0);
    }
}
