// waves = ifft2(fft2(probe) ramp), ramp = exp(-2 pi i (s_y f_y + s_x f_x)); the FFTs are run around these kernels.
#include "common.cuh"

DEVICE complex ramp(const real* shifts, int pattern, int column, int height, int width) {
    int y = column / width, x = column - y * width;
    real cycles = shifts[2 * pattern] * frequency(y, height) + shifts[2 * pattern + 1] * frequency(x, width);
    return phasor_cycles(-cycles);
}

// spectra[i, p, k] = scale spectrum[p, k] ramp_i(k)
KERNEL shift_forward(
    complex* spectra,         // [n, p, y, x]
    const complex* spectrum,  // [p, y, x] of the probe
    const real* shifts,       // [n, 2] px
    real scale,
    int probe_modes,
    int height,
    int width) {
    int pixels = height * width;
    Place at = place(pixels);
    if (at.column >= pixels) return;
    complex turn = scale * ramp(shifts, at.row, at.column, height, width);
    for (int p = 0; p < probe_modes; ++p)
        spectra[(size_t(at.row) * probe_modes + p) * pixels + at.column] =
            turn * ldg(&spectrum[size_t(p) * pixels + at.column]);
}

// grad_spectrum[p, k] = scale sum_i conj(ramp_i(k)) grad_spectra[i, p, k], the batch in order
KERNEL shift_backward_probe(
    complex* grad_spectrum,       // [p, y, x]
    const complex* grad_spectra,  // [n, p, y, x]
    const real* shifts,           // [n, 2] px
    real scale,
    int patterns,
    int probe_modes,
    int height,
    int width) {
    int pixels = height * width;
    Place at = place(pixels);
    if (at.column >= pixels) return;
    complex sum = {0, 0};
    for (int i = 0; i < patterns; ++i)
        sum += conj_times(ramp(shifts, i, at.column, height, width),
                          grad_spectra[(size_t(i) * probe_modes + at.row) * pixels + at.column]);
    grad_spectrum[size_t(at.row) * pixels + at.column] = scale * sum;
}

// grad_shifts[i] += scale 2 pi sum_pk f(k) Im(conj(grad_spectra) spectrum ramp); first stage
KERNEL shift_backward_shifts(
    double* partials,             // [n, parts, 2]
    const complex* grad_spectra,  // [n, p, y, x]
    const complex* spectrum,      // [p, y, x]
    const real* shifts,           // [n, 2] px
    real scale,
    int probe_modes,
    int height,
    int width,
    int parts) {
    size_t pixels = size_t(height) * width;
    Part at = part(parts);
    double sums[2] = {0, 0};
    for (size_t k = at.first; k < pixels; k += at.stride) {
        complex product = {0, 0};
        for (int p = 0; p < probe_modes; ++p)
            product += conj_times(grad_spectra[(size_t(at.row) * probe_modes + p) * pixels + k],
                                  ldg(&spectrum[p * pixels + k]));
        int y = int(k) / width, x = int(k) - y * width;
        real slope = (product * ramp(shifts, at.row, int(k), height, width)).y;
        sums[0] += slope * frequency(y, height);
        sums[1] += slope * frequency(x, width);
    }
    for (double& sum : sums) sum *= 6.283185307179586 * double(scale);
    store_part(partials, sums);
}
