#include "common.cuh"

DEVICE void assign(float& target, double value) { target = float(value); }
DEVICE void assign(double& target, double value) { target = value; }
DEVICE void assign(int& target, double value) { target = int(value); }
DEVICE void assign(unsigned char& target, double value) { target = (unsigned char)value; }
DEVICE void assign(complex& target, double value) { target = {real(value), 0}; }

// values = value
KERNEL fill(
    VALUE* values,  // [count]
    double value,
    size_t count) {
    size_t i = element();
    if (i < count) assign(values[i], value);
}
