// What one pixel says of a likelihood: its share of the statistics, and the derivative to a scale that follows from
// those of all pixels. gaussian.cu and poisson.cu have the formulas.
#pragma once
#include "powers.cuh"

struct Likelihood {
    int poisson;  // 1, or 0 for the Gaussian one
    real power, eps;
};

// dL/dI for the statistics [1, 1, 1]; 0 where nothing counts, data < 0. Adds to the statistics.
DEVICE real residual(real intensity, real data, const Likelihood& likelihood, double (&statistics)[3]) {
    if (data < 0) return 0;
    real lowest = floored(intensity), model = raise(lowest, likelihood.power), counts = raise(data, likelihood.power);
    real slope = likelihood.power * (model / lowest);  // d(I^p)/dI
    statistics[1] += counts;
    statistics[2] += 1;
    if (likelihood.poisson) {
        real expected = model + likelihood.eps;
        statistics[0] += double(counts) * double(log(expected)) - double(model);
        return (1 - counts / expected) * slope;
    }
    double difference = double(model) - double(counts);
    statistics[0] += difference * difference;
    return (model - counts) * slope;
}
