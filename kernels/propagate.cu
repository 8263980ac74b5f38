// waves = ifft2(transfer fft2(waves)); the unnormalised FFTs are run around these kernels, `scale` makes up for both.
#include "common.cuh"

// products[i, m, k] = scale transfer[t, k] spectra[i, m, k], t = i or 0; launched over (n, y x)
KERNEL propagate_forward(
    complex* products,        // [n, modes, y, x]; may be spectra
    const complex* spectra,   // [n, modes, y, x]
    const complex* transfer,  // [t, y, x] of this gap
    real scale,
    int tilt_count,
    int modes,
    int pixels) {
    Place at = place(pixels);
    if (at.column >= pixels) return;
    complex h = scale * ldg(&transfer[(tilt_count == 1 ? 0 : size_t(at.row) * pixels) + at.column]);
    for (int m = 0; m < modes; ++m) {
        size_t i = (size_t(at.row) * modes + m) * pixels + at.column;
        products[i] = h * spectra[i];
    }
}

// grad_spectra *= scale conj(transfer); grad_transfer[i, k] (+)= scale sum_m conj(spectra) grad_spectra
KERNEL propagate_backward(
    complex* grad_spectra,    // [n, modes, y, x] in place
    complex* grad_transfer,   // [n, y, x] or null
    const complex* spectra,   // [n, modes, y, x] before the transfer, or null
    const complex* transfer,  // [t, y, x] of this gap
    real scale,
    int accumulate,  // 1: add to grad_transfer, 0: overwrite it
    int tilt_count,
    int modes,
    int pixels) {
    Place at = place(pixels);
    if (at.column >= pixels) return;
    complex h = ldg(&transfer[(tilt_count == 1 ? 0 : size_t(at.row) * pixels) + at.column]), sum = {0, 0};
    for (int m = 0; m < modes; ++m) {
        size_t i = (size_t(at.row) * modes + m) * pixels + at.column;
        complex grad = scale * grad_spectra[i];
        if (grad_transfer) sum += conj_times(spectra[i], grad);
        grad_spectra[i] = conj_times(h, grad);
    }
    if (!grad_transfer) return;
    size_t i = size_t(at.row) * pixels + at.column;
    grad_transfer[i] = accumulate ? grad_transfer[i] + sum : sum;
}

// grad_transfer[t, k] += sum_g parts[t, g, k], g in order; launched over (t, y x)
KERNEL propagate_backward_parts(
    complex* grad_transfer,  // [t, y, x] of this gap, accumulated into
    const complex* parts,    // [t, groups, y, x]
    int groups,
    int pixels) {
    Place at = place(pixels);
    if (at.column >= pixels) return;
    complex sum = {0, 0};
#pragma unroll 8
    for (int g = 0; g < groups; ++g) sum += parts[(size_t(at.row) * groups + g) * pixels + at.column];
    grad_transfer[size_t(at.row) * pixels + at.column] += sum;
}
