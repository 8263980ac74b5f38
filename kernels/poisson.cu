// L = -mean(M^p ln(I^p + eps) - I^p) / mean M^p over the counted pixels (M >= 0)
#include "powers.cuh"

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
    for (size_t i = at.first; i < count; i += at.stride) {
        real data = measured[i];
        if (data < 0) continue;
        data = raise(data, power);
        real model = model_power(intensity[i], power);
        sums[0] += double(data) * double(log(model + eps)) - double(model);
        sums[1] += data;
        sums[2] += 1;
    }
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
    if (measured[i] < 0 || statistics[1] == 0) {
        grad_intensity[i] = 0;
        return;
    }
    real outer = real(factor / statistics[1]);
    real ratio = raise(measured[i], power) / (model_power(intensity[i], power) + eps);
    grad_intensity[i] = outer * (1 - ratio) * model_slope(intensity[i], power);
}
