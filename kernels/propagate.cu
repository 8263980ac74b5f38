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

// grad_transfer[k] += sum_i per_pattern[i, k], the batch in order: one tilt for all patterns
KERNEL propagate_backward_shared(
    complex* grad_transfer,      // [y, x] accumulated into
    const complex* per_pattern,  // [n, y, x]
    int patterns,
    int pixels) {
    int k = int(element());
    if (k >= pixels) return;
    complex sum = {0, 0};
    for (int i = 0; i < patterns; ++i) sum += per_pattern[size_t(i) * pixels + k];
    grad_transfer[k] += sum;
}
