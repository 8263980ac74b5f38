#include "common.cuh"

// intensity[i, k] += background[k]; launched over (n, ky kx)
KERNEL background_forward(
    real* intensity,         // [n, ky, kx] in place
    const real* background,  // [ky, kx]
    int pixels) {
    Place at = place(pixels);
    if (at.column < pixels) intensity[size_t(at.row) * pixels + at.column] += background[at.column];
}

// grad_background[k] += sum_i grad[i, k], the batch in order
KERNEL background_backward(
    real* grad_background,  // [ky, kx] accumulated into
    const real* grad,       // [n, ky, kx]
    int patterns,
    size_t count) {  // ky kx
    size_t k = element();
    if (k >= count) return;
    double sum = 0;
    for (int i = 0; i < patterns; ++i) sum += grad[i * count + k];
    grad_background[k] += real(sum);
}
