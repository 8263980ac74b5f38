// L = sqrt(mean_k (Ibar^p - Mbar^p)^2) / mean M^p; Ibar, Mbar are means over the batch of the counted values.
// statistics [3 K + 2] = sums of I, sums of M, counts per pixel k, then sum M^p and count over the batch.
#include "powers.cuh"

// statistics[k], [K + k], [2 K + k]; the batch in order
KERNEL pacbed_statistics(
    double* statistics,     // [3 K + 2], the first 3 K are written
    const real* intensity,  // [n, K]
    const real* measured,   // [n, K]
    int patterns,
    int pixels) {
    int k = int(element());
    if (k >= pixels) return;
    double model = 0, data = 0, counted = 0;
    for (int i = 0; i < patterns; ++i) {
        real value = measured[size_t(i) * pixels + k];
        if (value < 0) continue;
        model += intensity[size_t(i) * pixels + k];
        data += value;
        counted += 1;
    }
    statistics[k] = model;
    statistics[size_t(pixels) + k] = data;
    statistics[2 * size_t(pixels) + k] = counted;
}

// [sum M^p, count], the last two statistics; first stage
KERNEL pacbed_data(
    double* partials,      // [parts, 2]
    const real* measured,  // [count]
    real power,
    size_t count,
    int parts) {
    Part at = part(parts);
    double sums[2] = {0, 0};
    for (size_t i = at.first; i < count; i += at.stride) {
        if (measured[i] < 0) continue;
        sums[0] += raise(measured[i], power);
        sums[1] += 1;
    }
    store_part(partials, sums);
}

DEVICE double mean_power(const double* statistics, int pixels) {
    double data = statistics[3 * size_t(pixels)], count = statistics[3 * size_t(pixels) + 1];
    return count > 0 ? data / count : 0;
}

// Ibar^p - Mbar^p of a pixel that was counted
DEVICE double difference(const double* statistics, double power, size_t k, size_t pixels, double* mean_intensity) {
    double counted = statistics[2 * pixels + k], model = statistics[k] / counted;
    *mean_intensity = model > double(INTENSITY_FLOOR) ? model : double(INTENSITY_FLOOR);
    return pow(*mean_intensity, power) - pow(statistics[pixels + k] / counted, power);
}

// [sum_k (Ibar^p - Mbar^p)^2, number of pixels that were counted]; first stage
KERNEL pacbed_squares(
    double* partials,          // [parts, 2]
    const double* statistics,  // [3 K + 2]
    double power,
    int pixels,
    int parts) {
    Part at = part(parts);
    double sums[2] = {0, 0}, mean_intensity;
    for (size_t k = at.first; k < size_t(pixels); k += at.stride) {
        if (statistics[2 * size_t(pixels) + k] == 0) continue;
        double d = difference(statistics, power, k, pixels, &mean_intensity);
        sums[0] += d * d;
        sums[1] += 1;
    }
    store_part(partials, sums);
}

// value = L, 0 without data
KERNEL pacbed_value(
    double* value,             // [1]
    const double* squares,     // [2]
    const double* statistics,  // [3 K + 2]
    int pixels) {
    double mean = mean_power(statistics, pixels);
    if (element() == 0) value[0] = mean > 0 ? sqrt(squares[0] / squares[1]) / mean : 0;
}

// grad_pixel[k] = factor dL/dI[i, k], the same for every counted i
KERNEL pacbed_gradient_pixel(
    real* grad_pixel,          // [K]
    const double* statistics,  // [3 K + 2]
    const double* squares,     // [2]
    const double* value,       // [1]
    double power,
    double factor,
    int pixels) {
    int k = int(element());
    if (k >= pixels) return;
    double mean = mean_power(statistics, pixels), counted = statistics[2 * size_t(pixels) + k], mean_intensity;
    if (value[0] == 0 || counted == 0) {
        grad_pixel[k] = 0;
        return;
    }
    double d = difference(statistics, power, k, pixels, &mean_intensity);
    double slope = power * pow(mean_intensity, power - 1);
    grad_pixel[k] = real(factor * d * slope / (counted * squares[1] * value[0] * mean * mean));
}

// grad_intensity[i, k] = grad_pixel[k] where counted, else 0; launched over (n, K)
KERNEL pacbed_gradient(
    real* grad_intensity,    // [n, K]
    const real* grad_pixel,  // [K]
    const real* measured,    // [n, K]
    int pixels) {
    Place at = place(pixels);
    if (at.column >= pixels) return;
    size_t i = size_t(at.row) * pixels + at.column;
    grad_intensity[i] = measured[i] < 0 ? real(0) : grad_pixel[at.column];
}
