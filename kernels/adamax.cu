#include "common.cuh"

// g = grad + decay x; m += (1 - beta1) (g - m); u = max(beta2 u, |g| + eps); x -= step_size m / u
// (Kingma and Ba 2015, algorithm 2, as torch.optim.Adamax; step_size = rate / (1 - beta1^t))
KERNEL adamax(
    real* parameter,   // [count] in place; complex parameters as pairs of reals
    real* first,       // [count] in place
    real* largest,     // [count] in place
    const real* grad,  // [count]
    real step_size,
    real beta1_rest,  // 1 - beta1, rounded once
    real beta2,
    real eps,
    real decay,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    real x = parameter[i], g = grad[i] + decay * x;
    real m = first[i] + beta1_rest * (g - first[i]);
    real faded = beta2 * largest[i], size = fabs(g) + eps;
    real u = faded > size ? faded : size;
    first[i] = m;
    largest[i] = u;
    parameter[i] = x - step_size * m / u;
}
