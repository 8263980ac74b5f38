#include "common.cuh"

// g = grad + decay x; s += g^2; x -= rate g / (sqrt(s) + eps)
// (Duchi, Hazan and Singer 2011, as torch.optim.Adagrad)
KERNEL adagrad(
    real* parameter,   // [count] in place; complex parameters as pairs of reals
    real* sum,         // [count] in place
    const real* grad,  // [count]
    real rate,
    real eps,
    real decay,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    real x = parameter[i], g = grad[i] + decay * x;
    real s = sum[i] + g * g;
    sum[i] = s;
    parameter[i] = x - rate * g / (sqrt(s) + eps);
}
