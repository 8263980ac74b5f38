// transfer = aperture exp(i dz slope), slope = base + ky tan(tilt_y) + kx tan(tilt_x)
#include "common.cuh"

#define RADIANS_PER_MRAD real(1e-3)

DEVICE real slope(const real* tilts, int tilt, const real* base, const real* ky, const real* kx, int k, int width) {
    int y = k / width, x = k - y * width;
    return base[k] + ky[y] * tan(tilts[2 * tilt] * RADIANS_PER_MRAD) +
           kx[x] * tan(tilts[2 * tilt + 1] * RADIANS_PER_MRAD);
}

// transfer[g, t, k] = aperture[k] exp(i thickness[g] slope[t, k]); launched over (g t, y x)
KERNEL transfer_forward(
    complex* transfer,      // [g, t, y, x]
    const real* tilts,      // [t, 2] mrad
    const real* thickness,  // [g] angstrom
    const real* base,       // [y, x] rad/angstrom
    const real* aperture,   // [y, x]
    const real* ky,         // [y] rad/angstrom
    const real* kx,         // [x] rad/angstrom
    int tilt_count,
    int height,
    int width) {
    int pixels = height * width;
    Place at = place(pixels);
    if (at.column >= pixels) return;
    int gap = at.row / tilt_count, tilt = at.row - gap * tilt_count;
    real angle = thickness[gap] * slope(tilts, tilt, base, ky, kx, at.column, width);
    transfer[size_t(at.row) * pixels + at.column] = aperture[at.column] * phasor(angle);
}

// sums[g, t] = sum_k pull (slope, ky, kx), pull = Im(conj(transfer) grad) = dL per radian; first stage
KERNEL transfer_backward_sums(
    double* partials,         // [g t, parts, 3]
    const complex* grad,      // [g, t, y, x]
    const complex* transfer,  // [g, t, y, x]
    const real* tilts,        // [t, 2] mrad
    const real* base,         // [y, x] rad/angstrom
    const real* ky,           // [y] rad/angstrom
    const real* kx,           // [x] rad/angstrom
    int tilt_count,
    int height,
    int width,
    int parts) {
    size_t pixels = size_t(height) * width;
    Part at = part(parts);
    double sums[3] = {0, 0, 0};
    for (size_t k = at.first; k < pixels; k += at.stride) {
        real pull = conj_times(transfer[at.row * pixels + k], grad[at.row * pixels + k]).y;
        int y = int(k) / width, x = int(k) - y * width;
        sums[0] += pull * slope(tilts, at.row % tilt_count, base, ky, kx, int(k), width);
        sums[1] += pull * ky[y];
        sums[2] += pull * kx[x];
    }
    store_part(partials, sums);
}

// grad_tilts[t] += sum_g thickness[g] sec^2(tilt) 1e-3 sums[g, t, 1:]; grad_thickness[g] += sum_t sums[g, t, 0]
KERNEL transfer_backward(
    real* grad_tilts,       // [t, 2] or null, accumulated into, per mrad
    real* grad_thickness,   // [g] or null, accumulated into, per angstrom
    const double* sums,     // [g, t, 3]
    const real* tilts,      // [t, 2] mrad
    const real* thickness,  // [g] angstrom
    int gaps,
    int tilt_count) {
    int i = int(element());
    if (grad_thickness && i < gaps) {
        double sum = 0;
        for (int t = 0; t < tilt_count; ++t) sum += sums[3 * (size_t(i) * tilt_count + t)];
        grad_thickness[i] += real(sum);
    }
    if (grad_tilts && i < tilt_count)
        for (int axis = 0; axis < 2; ++axis) {
            double sum = 0, cosine = cos(double(tilts[2 * i + axis]) * 1e-3);
            for (int g = 0; g < gaps; ++g)
                sum += double(thickness[g]) * sums[3 * (size_t(g) * tilt_count + i) + 1 + axis];
            grad_tilts[2 * i + axis] += real(1e-3 * sum / (cosine * cosine));
        }
}
