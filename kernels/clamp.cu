#include "common.cuh"

// values = relax values + (1 - relax) min(max(values, low), high); NaN stays NaN
KERNEL clamp(
    real* values,  // [count] in place
    real low,
    real high,
    real relax,
    real rest,  // 1 - relax
    size_t count) {
    size_t i = element();
    if (i >= count) return;
    real value = values[i];
    real limited = value < low ? low : value > high ? high : value;
    values[i] = relax == 0 ? limited : relax * value + rest * limited;
}
