#include "common.cuh"

// m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; x -= step_size m / (sqrt(v) root_scale + eps)
// (Kingma and Ba 2015; step_size = rate / (1 - beta1^t), root_scale = 1 / sqrt(1 - beta2^t))
KERNEL adam(
    real* parameter,   // [count] in place; complex parameters as pairs of reals
    real* first,       // [count] in place
    real* second,      // [count] in place
    const real* grad,  // [count]
    real step_size,
    real root_scale,
    real beta1,
    real beta1_rest,  // 1 - beta1, rounded once
    real beta2,
    real beta2_rest,
    real eps,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    real g = grad[i];
    real m = beta1 * first[i] + beta1_rest * g;
    real v = beta2 * second[i] + beta2_rest * (g * g);
    first[i] = m;
    second[i] = v;
    parameter[i] -= step_size * m / (sqrt(v) * root_scale + eps);
}
