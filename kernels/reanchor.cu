#include "common.cuh"

// corners += rint(shifts), shifts -= rint(shifts), limits = [min y, min x, max y, max x] of the corners; one block
KERNEL reanchor(
    real* shifts,   // [N, 2] in place
    int* corners,   // [N, 2] in place
    int* limits,    // [4]
    int count) {    // N
    SHARED_ARRAY(int, buffer, 4 * THREADS);
    int extremes[4] = {0x7fffffff, 0x7fffffff, int(0x80000000), int(0x80000000)};
    for (int i = threadIdx.x; i < count; i += THREADS)
        for (int axis = 0; axis < 2; ++axis) {
            real whole = rint(shifts[2 * i + axis]);
            shifts[2 * i + axis] -= whole;
            int corner = corners[2 * i + axis] += int(whole);
            extremes[axis] = corner < extremes[axis] ? corner : extremes[axis];
            extremes[2 + axis] = corner > extremes[2 + axis] ? corner : extremes[2 + axis];
        }
    for (int k = 0; k < 4; ++k) buffer[k * THREADS + threadIdx.x] = extremes[k];
    __syncthreads();
    if (threadIdx.x >= 4) return;
    int best = buffer[threadIdx.x * THREADS];
    for (int t = 1; t < THREADS; ++t) {
        int other = buffer[threadIdx.x * THREADS + t];
        bool better = threadIdx.x < 2 ? other < best : other > best;
        best = better ? other : best;
    }
    limits[threadIdx.x] = best;
}
