#include "common.cuh"

// where g != 0: m += (1 - beta1) (g - m); v += (1 - beta2) (g^2 - v); x -= step_size m / (sqrt(v) + eps)
// (torch.optim.SparseAdam; step_size = rate sqrt(1 - beta2^t) / (1 - beta1^t))
KERNEL sparse_adam(
    real* parameter,   // [count] in place; complex parameters as pairs of reals
    real* first,       // [count] in place
    real* second,      // [count] in place
    const real* grad,  // [count]
    real step_size,
    real beta1_rest,  // 1 - beta1, rounded once
    real beta2_rest,
    real eps,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    real g = grad[i];
    if (g == 0) return;
    real m = first[i] + beta1_rest * (g - first[i]);
    real v = second[i] + beta2_rest * (g * g - second[i]);
    first[i] = m;
    second[i] = v;
    parameter[i] -= step_size * m / (sqrt(v) + eps);
}
