#include "common.cuh"

// out[a, i, b] = sum_t weights[i, t] values[a, indices[i, t], b]; -1 where one of the values with a weight is negative
KERNEL counted_filter(
    real* out,            // [a, rows, inner]
    const real* values,   // [a, length, inner]
    const int* indices,   // [rows, taps]
    const real* weights,  // [rows, taps], 0 for an unused tap
    int length,
    int rows,
    int taps,
    size_t inner,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    size_t line = divide(i, inner), b = i - line * inner, a = divide(line, rows);
    int row = int(line - a * rows);
    real sum = 0;
    bool counts = true;
    for (int t = 0; t < taps; ++t) {
        real weight = weights[row * taps + t], value = ldg(&values[(a * length + indices[row * taps + t]) * inner + b]);
        counts = counts && (weight == 0 || value >= 0);
        sum += weight * value;
    }
    out[i] = counts ? sum : real(-1);
}
