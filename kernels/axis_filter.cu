#include "common.cuh"

// out[a, i, b] = sum_t weights[i, t] values[a, indices[i, t], b]: a sparse matrix along the middle axis
KERNEL axis_filter(
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
    for (int t = 0; t < taps; ++t)
        sum += weights[row * taps + t] * ldg(&values[(a * length + indices[row * taps + t]) * inner + b]);
    out[i] = sum;
}
