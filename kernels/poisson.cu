// L = -mean(M^p ln(I^p + eps) - I^p) / mean M^p over the counted pixels (M >= 0)
#include "residual.cuh"

// statistics = [sum (M^p ln(I^p + eps) - I^p), sum M^p, count]; first stage
KERNEL poisson_statistics(
    double* partials,       // [parts, 3]
    const real* intensity,  // [count]
    const real* measured,   // [count]
    real power,
    real eps,
    size_t count,
    int parts) {
    Part at = part(parts);
    double sums[3] = {0, 0, 0};
    for (size_t i = at.first; i < count; i += at.stride) residual(intensity[i], measured[i], {1, power, eps}, sums);
    store_part(partials, sums);
}

// value = L, 0 without data
KERNEL poisson_value(
    double* value,              // [1]
    const double* statistics) {  // [3]
    if (element() == 0) value[0] = statistics[1] > 0 ? -statistics[0] / statistics[1] : 0;
}

// scale = what the gradient of these statistics is, as a multiple of that of [1, 1, 1]
KERNEL poisson_scale(
    double* scale,              // [1]
    const double* statistics) {  // [3]
    if (element() == 0) scale[0] = statistics[1] > 0 ? 1 / statistics[1] : 0;
}

// grad_intensity = factor dL/dI = factor (1 - M^p / (I^p + eps)) p I^(p - 1) / sum M^p
KERNEL poisson_gradient(
    real* grad_intensity,      // [count]
    const real* intensity,     // [count]
    const real* measured,      // [count]
    const double* statistics,  // [3]
    real power,
    real eps,
    double factor,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    double sums[3] = {0, 0, 0};
    real outer = statistics[1] > 0 ? real(factor / statistics[1]) : 0;
    grad_intensity[i] = outer * residual(intensity[i], measured[i], {1, power, eps}, sums);
}
