// ramp_i(y, x) = exp(2 pi i (d_y (y - height / 2) / period_y + d_x (x - width / 2) / period_x))
#include "common.cuh"

DEVICE complex ramp(const real* descan, int pattern, int column, int height, int width, real per_y, real per_x) {
    int y = column / width, x = column - y * width;
    return phasor_cycles(descan[2 * pattern] * per_y * real(y - height / 2) +
                         descan[2 * pattern + 1] * per_x * real(x - width / 2));
}

// ramped[i, m, y, x] = waves[i, m, y, x] ramp_i(y, x), m over all modes; launched over (n, y x)
KERNEL descan_forward(
    complex* ramped,       // [n, o, p, y, x]
    const complex* waves,  // [n, o, p, y, x]
    const real* descan,    // [n, 2] px
    real per_y,            // 1 / period
    real per_x,
    int modes,  // o p
    int height,
    int width) {
    int pixels = height * width;
    Place at = place(pixels);
    if (at.column >= pixels) return;
    complex turn = ramp(descan, at.row, at.column, height, width, per_y, per_x);
    for (int m = 0; m < modes; ++m) {
        size_t i = (size_t(at.row) * modes + m) * pixels + at.column;
        ramped[i] = turn * waves[i];
    }
}

// grad[i, m, y, x] *= conj(ramp_i(y, x)); launched over (n, y x)
KERNEL descan_backward(
    complex* grad,       // [n, o, p, y, x] in place
    const real* descan,  // [n, 2] px
    real per_y,
    real per_x,
    int modes,
    int height,
    int width) {
    int pixels = height * width;
    Place at = place(pixels);
    if (at.column >= pixels) return;
    complex turn = ramp(descan, at.row, at.column, height, width, per_y, per_x);
    for (int m = 0; m < modes; ++m) {
        size_t i = (size_t(at.row) * modes + m) * pixels + at.column;
        grad[i] = conj_times(turn, grad[i]);
    }
}

// grad_descan[i] += 2 pi / period sum (y - height / 2) Im(conj(waves) grad_waves); first stage
KERNEL descan_backward_sums(
    double* partials,           // [n, parts, 2]
    const complex* grad_waves,  // [n, o, p, y, x] after descan_backward
    const complex* waves,       // [n, o, p, y, x] before the ramp
    real per_y,
    real per_x,
    int modes,
    int height,
    int width,
    int parts) {
    size_t pixels = size_t(height) * width;
    Part at = part(parts);
    size_t first = size_t(at.row) * modes * pixels;
    double sums[2] = {0, 0};
    for (size_t k = at.first; k < pixels; k += at.stride) {
        const complex *wave = waves + first + k, *grad = grad_waves + first + k;
        real pull = 0;
        for (int m = 0; m < modes; ++m, wave += pixels, grad += pixels) pull += conj_times(*wave, *grad).y;
        int y = int(k) / width, x = int(k) - y * width;
        sums[0] += pull * (y - height / 2);
        sums[1] += pull * (x - width / 2);
    }
    sums[0] *= 6.283185307179586 * double(per_y);
    sums[1] *= 6.283185307179586 * double(per_x);
    store_part(partials, sums);
}
