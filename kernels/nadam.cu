#include "common.cuh"

// g = grad + decay x; m += (1 - beta1) (g - m); v += (1 - beta2) (g^2 - v);
// x = keep x - (grad_rate g + first_rate m) / (sqrt(v) root_scale + eps)
// (Dozat 2016, as torch.optim.NAdam; the rates hold the momentum schedule)
KERNEL nadam(
    real* parameter,   // [count] in place; complex parameters as pairs of reals
    real* first,       // [count] in place
    real* second,      // [count] in place
    const real* grad,  // [count]
    real grad_rate,
    real first_rate,
    real root_scale,  // 1 / sqrt(1 - beta2^t)
    real beta1_rest,  // 1 - beta1, rounded once
    real beta2_rest,
    real eps,
    real decay,
    real keep,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    real x = parameter[i], g = grad[i] + decay * x;
    real m = first[i] + beta1_rest * (g - first[i]);
    real v = second[i] + beta2_rest * (g * g - second[i]);
    first[i] = m;
    second[i] = v;
    parameter[i] = keep * x - (grad_rate * g + first_rate * m) / (sqrt(v) * root_scale + eps);
}
