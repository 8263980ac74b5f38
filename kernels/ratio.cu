// A fixed ratio of absorption and phase: ln a = -C phi, phases of electrons being positive.
#include "common.cuh"

#define LEAST_AMPLITUDE real(1e-8)  // whose logarithm is still finite

DEVICE real logarithm(real amplitude) { return log(amplitude > LEAST_AMPLITUDE ? amplitude : LEAST_AMPLITUDE); }

// sums = sum_i (|ln amplitude|, |phase|); first stage
KERNEL ratio_sums(
    double* partials,       // [parts, 2]
    const real* amplitude,  // [count]
    const real* phase,      // [count]
    size_t count,
    int parts) {
    Part at = part(parts);
    double sums[2] = {0, 0};
    for (size_t i = at.first; i < count; i += at.stride) {
        sums[0] += fabs(logarithm(amplitude[i]));
        sums[1] += fabs(phase[i]);
    }
    store_part(partials, sums);
}

// new_amplitude = exp((1 - alpha1) ln a - alpha1 C phi), new_phase = (1 - alpha2) phi - alpha2 ln a / (C + 1e-8),
// C = sums[0] / (sums[1] + 1e-8)
KERNEL ratio_apply(
    real* new_amplitude,    // [count] or null; may be amplitude
    real* new_phase,        // [count] or null; may be phase
    const real* amplitude,  // [count]
    const real* phase,      // [count]
    const double* sums,     // [2]
    real alpha1,
    real alpha2,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    double ratio = sums[0] / (sums[1] + 1e-8);
    real absorption = logarithm(amplitude[i]), angle = phase[i];
    if (new_amplitude) new_amplitude[i] = exp((1 - alpha1) * absorption - alpha1 * real(ratio) * angle);
    if (new_phase) new_phase[i] = (1 - alpha2) * angle - alpha2 * absorption / real(ratio + 1e-8);
}
