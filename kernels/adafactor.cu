// Factored second moments (Shazeer and Stern 2018, as torch.optim.Adafactor). The last two axes are a matrix:
// V[b, r, c] = R[b, r] C[b, c] / max(mean_r R[b], eps1); a parameter of one axis has its own V and neither R nor C.
#include "common.cuh"

// rows[b, r] += fresh (mean_c g^2 - rows[b, r]); a block per row
KERNEL adafactor_rows(
    real* rows,        // [b r] in place
    const real* grad,  // [b r, c]
    real fresh,
    int width) {
    const real* line = grad + size_t(blockIdx.x) * width;
    double sum[1] = {0};
    for (int c = threadIdx.x; c < width; c += THREADS) sum[0] += double(line[c]) * double(line[c]);
    block_sum(sum);
    if (threadIdx.x == 0) rows[blockIdx.x] += fresh * (real(sum[0] / width) - rows[blockIdx.x]);
}

// columns[b, c] += fresh (mean_r g^2 - columns[b, c]); a thread per column
KERNEL adafactor_columns(
    real* by_column,   // [b, c] in place
    const real* grad,  // [b, r, c]
    real fresh,
    int height,
    int width,
    size_t count) {  // b c
    size_t i = element();
    if (i >= count) return;
    size_t matrix = divide(i, width), offset = matrix * height * width + (i - matrix * width);
    double sum = 0;
    for (int r = 0; r < height; ++r) {
        double g = grad[offset + size_t(r) * width];
        sum += g * g;
    }
    by_column[i] += fresh * (real(sum / height) - by_column[i]);
}

// means[b] = mean_r rows[b, r]; a block per matrix
KERNEL adafactor_means(
    double* means,     // [b]
    const real* rows,  // [b, r]
    int height) {
    double sum[1] = {0};
    for (int r = threadIdx.x; r < height; r += THREADS) sum[0] += rows[size_t(blockIdx.x) * height + r];
    block_sum(sum);
    if (threadIdx.x == 0) means[blockIdx.x] = sum[0] / height;
}

// variance[i] += fresh (g^2 - variance[i])
KERNEL adafactor_variance(
    real* variance,    // [count] in place
    const real* grad,  // [count]
    real fresh,
    size_t count) {
    size_t i = element();
    if (i < count) variance[i] += fresh * (grad[i] * grad[i] - variance[i]);
}

// update = g / sqrt(max(V, eps1^2)), V = rows columns / max(mean, eps1)
KERNEL adafactor_update(
    real* update,           // [b, r, c]
    const real* grad,       // [b, r, c]
    const real* rows,       // [b, r]
    const real* by_column,  // [b, c]
    const double* means,    // [b]
    double eps1,
    int height,
    int width,
    size_t count) {  // b r c
    size_t i = element();
    if (i >= count) return;
    size_t row = divide(i, width), matrix = divide(row, height);
    double mean = means[matrix] < eps1 ? eps1 : means[matrix];
    double variance = double(rows[row]) * double(by_column[matrix * width + (i - row * width)]) / mean;
    update[i] = real(double(grad[i]) / sqrt(variance < eps1 * eps1 ? eps1 * eps1 : variance));
}

// update = g / sqrt(max(variance, eps1^2))
KERNEL adafactor_update_dense(
    real* update,          // [count]
    const real* grad,      // [count]
    const real* variance,  // [count]
    double eps1,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    double v = variance[i];
    update[i] = real(double(grad[i]) / sqrt(v < eps1 * eps1 ? eps1 * eps1 : v));
}

// x = keep x - rate max(eps2, rms(x)) / max(1, rms(update) / d) update, rms from the sums of squares
KERNEL adafactor(
    real* parameter,               // [count] in place; complex parameters as pairs of reals
    const real* update,            // [count]
    const double* parameter_power, // [1]
    const double* update_power,    // [1]
    double rate,
    double eps2,
    double d,
    real keep,
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    double size = sqrt(parameter_power[0] / double(count)), roughness = sqrt(update_power[0] / double(count)) / d;
    double step = rate * (size < eps2 ? eps2 : size) / (roughness < 1 ? 1 : roughness);
    parameter[i] = keep * parameter[i] - real(step) * update[i];
}
