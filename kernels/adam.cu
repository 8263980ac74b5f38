#include "common.cuh"

// g = grad + decay x; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; w = max(w, v) where there is one,
// else v; x = keep x - step_size m / (sqrt(w) root_scale + eps)
// (Kingma and Ba 2015; AMSGrad: Reddi et al. 2018; AdamW: Loshchilov and Hutter 2019, with keep = 1 - rate decay;
// step_size = rate / (1 - beta1^t), root_scale = 1 / sqrt(1 - beta2^t)); `numbers`, where given, has those that a graph
// must not freeze
KERNEL adam(
    real* parameter,        // [count] in place; complex parameters as pairs of reals
    real* first,            // [count] in place
    real* second,           // [count] in place
    real* largest,          // [count] in place, or null
    const real* grad,       // [count]
    const double* numbers,  // [3] step_size, root_scale and keep instead of the arguments, or null
    real step_size,
    real root_scale,
    real beta1,
    real beta1_rest,  // 1 - beta1, rounded once
    real beta2,
    real beta2_rest,
    real eps,
    real decay,
    real keep,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    if (numbers) {
        step_size = real(numbers[0]);
        root_scale = real(numbers[1]);
        keep = real(numbers[2]);
    }
    real x = parameter[i], g = grad[i] + decay * x;
    real m = beta1 * first[i] + beta1_rest * g;
    real v = beta2 * second[i] + beta2_rest * (g * g);
    first[i] = m;
    second[i] = v;
    if (largest) {
        v = largest[i] > v ? largest[i] : v;
        largest[i] = v;
    }
    parameter[i] = keep * x - step_size * m / (sqrt(v) * root_scale + eps);
}
