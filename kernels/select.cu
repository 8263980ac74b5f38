// The value of a given rank, exactly and without sorting: bits of the values, ordered as the values are, are found eight
// at a time from counts of all values that share the bits found so far (radix selection).
#include "common.cuh"

DEVICE size_t bits_of(float value) {
    union {
        float value;
        unsigned bits;
    } same = {value};
    return same.bits;
}
DEVICE size_t bits_of(double value) {
    union {
        double value;
        size_t bits;
    } same = {value};
    return same.bits;
}
DEVICE void assign_bits(float* target, size_t bits) {
    union {
        unsigned bits;
        float value;
    } same = {unsigned(bits)};
    *target = same.value;
}
DEVICE void assign_bits(double* target, size_t bits) {
    union {
        size_t bits;
        double value;
    } same = {bits};
    *target = same.value;
}
#define SIGN_BIT (size_t(1) << (8 * sizeof(real) - 1))
#define ALL_BITS (SIGN_BIT | (SIGN_BIT - 1))

// Keys have the order of the values, or of their magnitudes.
DEVICE size_t key_of(real value, int magnitudes) {
    size_t bits = bits_of(value);
    if (magnitudes) return bits & ~SIGN_BIT;
    return bits & SIGN_BIT ? ~bits & ALL_BITS : bits | SIGN_BIT;
}

// state = no bits yet, and the rank that is looked for; one thread
KERNEL select_begin(
    size_t* state,  // [2]
    size_t rank) {
    if (element() != 0) return;
    state[0] = 0;
    state[1] = rank;
}

// counts[d] = number of values whose key has digit d at `shift` and the bits above it of state[0]; first stage
KERNEL select_count(
    double* partials,     // [parts, 256]
    const real* values,   // [count]
    const size_t* state,  // [2] bits found so far, rank among those that share them
    int shift,
    int magnitudes,
    size_t count,
    int parts) {
    SHARED_ARRAY(int, bins, THREADS);
    bins[threadIdx.x] = 0;
    __syncthreads();
    Part at = part(parts);
    size_t above = (state[0] >> shift) >> 8;
    for (size_t i = at.first; i < count; i += at.stride) {
        size_t digits = key_of(values[i], magnitudes) >> shift;
        if (digits >> 8 == above) atomicAdd(&bins[digits & 255], 1);
    }
    __syncthreads();
    partials[size_t(blockIdx.x) * THREADS + threadIdx.x] = bins[threadIdx.x];
}

// The digit at `shift` that holds the rank, counted from the largest; one thread
KERNEL select_digit(
    size_t* state,         // [2] in place
    const double* counts,  // [256]
    int shift) {
    if (element() != 0) return;
    size_t rank = state[1];
    int digit = 255;
    for (; digit > 0 && size_t(counts[digit]) < rank; --digit) rank -= size_t(counts[digit]);
    state[0] |= size_t(digit) << shift;
    state[1] = rank;
}

// value = the value whose key is state[0]; one thread
KERNEL select_value(
    real* value,          // [1]
    const size_t* state,  // [2]
    int magnitudes) {
    if (element() != 0) return;
    size_t bits = state[0];
    if (!magnitudes) bits = bits & SIGN_BIT ? bits & ~SIGN_BIT : ~bits & ALL_BITS;
    assign_bits(value, bits);
}

// values = 0 where |values| < least
KERNEL select_suppress(
    real* values,       // [count] in place
    const real* least,  // [1]
    size_t count) {
    size_t i = element();
    if (i < count && fabs(values[i]) < least[0]) values[i] = 0;
}
