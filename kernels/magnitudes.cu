// The largest |x| and the sum of |x|; a NaN shows in the sum.
#include "common.cuh"

// Maximum of one value per thread, in every thread.
DEVICE double block_largest(double value) {
    SHARED_ARRAY(double, buffer, THREADS);
    buffer[threadIdx.x] = value;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (int(threadIdx.x) < half && buffer[threadIdx.x + half] > buffer[threadIdx.x])
            buffer[threadIdx.x] = buffer[threadIdx.x + half];
        __syncthreads();
    }
    double largest = buffer[0];
    __syncthreads();
    return largest;
}

// partials = (max |x|, sum |x|); first stage
KERNEL magnitudes(
    double* partials,    // [parts, 2]
    const real* values,  // [count]; complex arrays as pairs of reals
    size_t count,
    int parts) {
    Part at = part(parts);
    double largest = 0, sum[1] = {0};
    for (size_t i = at.first; i < count; i += at.stride) {
        double size = fabs(double(values[i]));
        largest = size > largest ? size : largest;
        sum[0] += size;
    }
    block_sum(sum);
    largest = block_largest(largest);
    if (threadIdx.x == 0) {
        partials[2 * blockIdx.x] = largest;
        partials[2 * blockIdx.x + 1] = sum[0];
    }
}

// result = (max, sum) over the parts; one block
KERNEL magnitudes_total(
    double* result,          // [2]
    const double* partials,  // [parts, 2]
    int parts) {
    double largest = 0, sum[1] = {0};
    for (int p = threadIdx.x; p < parts; p += THREADS) {
        largest = partials[2 * p] > largest ? partials[2 * p] : largest;
        sum[0] += partials[2 * p + 1];
    }
    block_sum(sum);
    largest = block_largest(largest);
    if (threadIdx.x == 0) {
        result[0] = largest;
        result[1] = sum[0];
    }
}
