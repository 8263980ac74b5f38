// Orthonormal 2-D cosine transform (DCT-II, its inverse DCT-III) around one complex FFT of the same size: samples are
// reordered, even ones first and odd ones backwards (Makhoul, IEEE Trans. ASSP 28 (1980) 27).
#include "common.cuh"

// Sample at place i of the reordered axis.
DEVICE int reordered(int i, int n) { return i < (n + 1) / 2 ? 2 * i : 2 * (n - i) - 1; }
// exp(-i pi k / 2 n)
DEVICE complex quarter_turn(int k, int n) { return phasor_cycles(-real(k) / (4 * real(n))); }
DEVICE real norm_factor(int k, int n) { return sqrt((k == 0 ? 1 : 2) / real(n)); }

// waves[r, y, x] = values[r, reordered(y), reordered(x)]; launched over (rows, Y X)
KERNEL cosine_pack(
    complex* waves,      // [rows, Y, X]
    const real* values,  // [rows, Y, X]
    int height,
    int width) {
    Place at = place(height * width);
    if (at.column >= height * width) return;
    size_t plane = size_t(at.row) * height * width;
    int y = at.column / width, x = at.column - y * width;
    waves[plane + at.column] = {values[plane + size_t(reordered(y, height)) * width + reordered(x, width)], 0};
}

// coefficients[r, k, l] = norm Re(u_k (v_l spectra[r, k, l] + conj(v_l) spectra[r, k, -l]) / 2), u, v quarter turns
KERNEL cosine_forward(
    real* coefficients,      // [rows, Y, X]
    const complex* spectra,  // [rows, Y, X] unnormalised
    int height,
    int width) {
    Place at = place(height * width);
    if (at.column >= height * width) return;
    size_t plane = size_t(at.row) * height * width;
    int k = at.column / width, l = at.column - k * width;
    const complex* line = spectra + plane + size_t(k) * width;
    complex v = quarter_turn(l, width);
    complex sum = v * line[l] + conj_times(v, line[l == 0 ? 0 : width - l]);
    real norm = norm_factor(k, height) * norm_factor(l, width) / 2;
    coefficients[plane + at.column] = norm * (quarter_turn(k, height) * sum).x;
}

// spectra[r, k, l] = conj(u_k v_l) (c[k, l] - c[Y-k, X-l] - i (c[Y-k, l] + c[k, X-l])), c = coefficients / norm
KERNEL cosine_backward(
    complex* spectra,          // [rows, Y, X]
    const real* coefficients,  // [rows, Y, X]
    real scale,                // 1 / (Y X), for the unnormalised inverse FFT that follows
    int height,
    int width) {
    Place at = place(height * width);
    if (at.column >= height * width) return;
    size_t plane = size_t(at.row) * height * width;
    int k = at.column / width, l = at.column - k * width;
    const real* c = coefficients + plane;
    real own_y = 1 / norm_factor(k, height), own_x = 1 / norm_factor(l, width);
    real far_y = k == 0 ? real(0) : 1 / norm_factor(height - k, height);
    real far_x = l == 0 ? real(0) : 1 / norm_factor(width - l, width);
    size_t near_row = size_t(k) * width, far_row = size_t(k == 0 ? 0 : height - k) * width;
    int far_l = l == 0 ? 0 : width - l;
    complex sum = {own_y * own_x * c[near_row + l] - far_y * far_x * c[far_row + far_l],
                   -(far_y * own_x * c[far_row + l] + own_y * far_x * c[near_row + far_l])};
    complex turn = quarter_turn(k, height) * quarter_turn(l, width);
    spectra[plane + at.column] = scale * conj_times(turn, sum);
}

// values[r, reordered(y), reordered(x)] = Re(waves[r, y, x]); launched over (rows, Y X)
KERNEL cosine_unpack(
    real* values,          // [rows, Y, X]
    const complex* waves,  // [rows, Y, X]
    int height,
    int width) {
    Place at = place(height * width);
    if (at.column >= height * width) return;
    size_t plane = size_t(at.row) * height * width;
    int y = at.column / width, x = at.column - y * width;
    values[plane + size_t(reordered(y, height)) * width + reordered(x, width)] = waves[plane + at.column].x;
}
