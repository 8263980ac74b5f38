#include "common.cuh"

// slots[indices[i]] = first + i; no index occurs twice
KERNEL set_slots(
    int* slots,          // [N] written at indices
    const int* indices,  // [n]
    int first,
    size_t count) {
    size_t i = element();
    if (i < count) slots[indices[i]] = first + int(i);
}
