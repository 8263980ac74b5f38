// L = sqrt(mean (I^p - M^p)^2) / mean M^p over the counted pixels (M >= 0)
#include "residual.cuh"

// statistics = [sum (I^p - M^p)^2, sum M^p, count]; first stage
KERNEL gaussian_statistics(
    double* partials,       // [parts, 3]
    const real* intensity,  // [count]
    const real* measured,   // [count]
    real power,
    size_t count,
    int parts) {
    Part at = part(parts);
    double sums[3] = {0, 0, 0};
    for (size_t i = at.first; i < count; i += at.stride) residual(intensity[i], measured[i], {0, power, 0}, sums);
    store_part(partials, sums);
}

// value = L, 0 without data
KERNEL gaussian_value(
    double* value,              // [1]
    const double* statistics) {  // [3]
    double squares = statistics[0], data = statistics[1], count = statistics[2];
    if (element() == 0) value[0] = data > 0 ? sqrt(squares / count) / (data / count) : 0;
}

// scale = what the gradient of these statistics is, as a multiple of that of [1, 1, 1]
KERNEL gaussian_scale(
    double* scale,              // [1]
    const double* statistics) {  // [3]
    double squares = statistics[0], data = statistics[1], count = statistics[2];
    if (element() == 0) scale[0] = squares > 0 && data > 0 ? 1 / (sqrt(squares / count) * data) : 0;
}

// grad_intensity = factor dL/dI = factor (I^p - M^p) p I^(p - 1) / (sqrt(count squares) data / count)
KERNEL gaussian_gradient(
    real* grad_intensity,      // [count]
    const real* intensity,     // [count]
    const real* measured,      // [count]
    const double* statistics,  // [3]
    real power,
    double factor,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    double squares = statistics[0], data = statistics[1], counted = statistics[2], sums[3] = {0, 0, 0};
    real outer = squares > 0 && data > 0 ? real(factor / (sqrt(squares / counted) * data)) : 0;
    grad_intensity[i] = outer * residual(intensity[i], measured[i], {0, power, 0}, sums);
}
