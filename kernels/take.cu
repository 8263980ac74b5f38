#include "common.cuh"

// rows[i, c] = table[indices[i], c]
KERNEL take_forward(
    real* rows,          // [n, columns]
    const real* table,   // [N, columns]
    const int* indices,  // [n]
    int columns,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    size_t row = divide(i, columns);
    rows[i] = table[size_t(indices[row]) * columns + (i - row * columns)];
}

// grad_table[indices[i], c] += grad_rows[i, c]; no index occurs twice in a batch, so no atomics
KERNEL take_backward(
    real* grad_table,       // [N, columns] accumulated into
    const real* grad_rows,  // [n, columns]
    const int* indices,     // [n]
    int columns,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    size_t row = divide(i, columns);
    grad_table[size_t(indices[row]) * columns + (i - row * columns)] += grad_rows[i];
}
