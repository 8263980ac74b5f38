// Transmission in the middle of a step along x: every row back from its spectrum, times the transmission, and forth.
// With `spectra` the waves before the first slice and behind the last one are transformed along x as well, otherwise
// they are in real space. -DLENGTH=width.
#include "fft.cuh"

typedef Lines<LENGTH, true> Rows;

// The row of a thread: a block takes COUNT / abreast rows of one stack, and of each row `abreast` probe modes at once.
struct Row {
    int stack;  // which [p, y, x]
    int y;
    int mode;  // the first probe mode
};
DEVICE Row row_of(const Rows& rows, int height, int abreast) {
    int count = Rows::COUNT / abreast, blocks = height / count;
    int stack = blockIdx.x / blocks;
    return {stack, int(blockIdx.x - stack * blocks) * count + rows.line % count, rows.line / count};
}

// Where row y of the window at corners[index] begins in a canvas.
DEVICE size_t row_offset(const int* corners, int index, int y, int canvas_width) {
    return size_t(corners[2 * index] + y) * canvas_width + corners[2 * index + 1];
}

// exits[i, o, p] = F transmission[o, slice, corner + (y, x)] F^-1 waves[i, o or 0, p], entries = F^-1 waves, F along x;
// launched with height / (COUNT / abreast) blocks for each of n o
KERNEL transmit_rows_forward(
    complex* exits,               // [n, o, p, y, x]; may be waves
    complex* entries,             // [n, w, p, y, x] or null, written where waves is a spectrum
    const complex* waves,         // [n, w, p, y, x], w = o or 1
    const complex* transmission,  // [o, z, Y, X]
    const int* corners,           // [N, 2]
    const int* indices,           // [n]
    int slice,
    int slices,
    int spectra,
    int abreast,
    int object_modes,
    int wave_modes,
    int probe_modes,
    int canvas_height,
    int canvas_width,
    int height) {
    SHARED_ARRAY(complex, exchange, EXCHANGE);
    bool from_spectrum = spectra || slice > 0, to_spectrum = spectra || slice + 1 < slices;
    Rows rows(exchange);
    Row row = row_of(rows, height, abreast);
    int pattern = row.stack / object_modes, mode = row.stack - pattern * object_modes;
    int wave_stack = wave_modes == 1 ? pattern : row.stack;
    bool keeps = entries && (wave_modes == object_modes || mode == 0);
    const complex* window = transmission + (size_t(mode) * slices + slice) * canvas_height * canvas_width +
                            row_offset(corners, indices[pattern], row.y, canvas_width);
    complex t[ELEMENTS];
#pragma unroll
    for (int e = 0; e < ELEMENTS; ++e) t[e] = ldg(&window[rows.place(e)]);
    for (int p = row.mode; p - row.mode < probe_modes; p += abreast) {
        bool there = p < probe_modes;
        size_t source = ((size_t(wave_stack) * probe_modes + p) * height + row.y) * LENGTH;
        size_t target = ((size_t(row.stack) * probe_modes + p) * height + row.y) * LENGTH;
        complex x[ELEMENTS];
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) x[e] = there ? waves[source + rows.place(e)] : complex{0, 0};
        if (from_spectrum) {
            rows.transform<INVERSE>(x);
            if (keeps && there)
#pragma unroll
                for (int e = 0; e < ELEMENTS; ++e) store_once(&entries[source + rows.place(e)], x[e]);
        }
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) x[e] = t[e] * x[e];
        if (to_spectrum) rows.transform<FORWARD>(x);
        if (there)
#pragma unroll
            for (int e = 0; e < ELEMENTS; ++e) exits[target + rows.place(e)] = x[e];
    }
}

// grad_waves = F conj(transmission) g, g = F^-1 grad_exits, summed over o where the waves have one object mode;
// grad_transmission[o, slice, corner + (y, x)] += sum_p conj(entries) g. Launched as above, for each of n w.
// With a deferred scalar, grad_exits is multiplied by factor deferred first.
// The sum over p is made in registers, then over the modes abreast: one atomic addition per object pixel, or none.
KERNEL transmit_rows_backward(
    complex* grad_waves,          // [n, w, p, y, x] or null; may be grad_exits where w = o
    complex* grad_transmission,   // [o, z, Y, X] or null, accumulated into at the windows, atomically
    complex* grad_patches,        // [n, o, y, x] or null: the sums over p, for patch_gather
    const complex* grad_exits,    // [n, o, p, y, x]
    const complex* entries,       // [n, w, p, y, x] in real space
    const complex* transmission,  // [o, z, Y, X]
    const int* corners,           // [N, 2]
    const int* indices,           // [n]
    const double* deferred,       // [1] or null
    double factor,
    int slice,
    int slices,
    int spectra,
    int abreast,
    int object_modes,
    int wave_modes,
    int probe_modes,
    int canvas_height,
    int canvas_width,
    int height) {
    SHARED_ARRAY(complex, exchange, EXCHANGE);
    bool from_spectrum = spectra || slice + 1 < slices, to_spectrum = spectra || slice > 0;
    Rows rows(exchange);
    Row row = row_of(rows, height, abreast);
    int pattern = row.stack / wave_modes, wave_mode = row.stack - pattern * wave_modes;
    int modes = object_modes / wave_modes;  // of the object, seen by one wave
    real scale = deferred_scale(deferred, factor);
    size_t canvas = size_t(canvas_height) * canvas_width;
    size_t offset = row_offset(corners, indices[pattern], row.y, canvas_width);
    for (int mode = wave_mode; mode < wave_mode + modes; ++mode) {
        size_t window = (size_t(mode) * slices + slice) * canvas + offset;
        size_t exit_stack = size_t(pattern) * object_modes + mode;
        complex sums[ELEMENTS];
#pragma unroll
        for (int e = 0; e < ELEMENTS; ++e) sums[e] = {0, 0};
        for (int p = row.mode; p - row.mode < probe_modes; p += abreast) {
            bool there = p < probe_modes;
            size_t source = ((exit_stack * probe_modes + p) * height + row.y) * LENGTH;
            size_t target = ((size_t(row.stack) * probe_modes + p) * height + row.y) * LENGTH;
            complex x[ELEMENTS];
#pragma unroll
            for (int e = 0; e < ELEMENTS; ++e) x[e] = there ? grad_exits[source + rows.place(e)] : complex{0, 0};
            if (from_spectrum) rows.transform<INVERSE>(x);
#pragma unroll
            for (int e = 0; e < ELEMENTS; ++e) x[e] = scale * x[e];
            if (there && (grad_transmission || grad_patches))
#pragma unroll
                for (int e = 0; e < ELEMENTS; ++e)
                    sums[e] += conj_times(load_once(&entries[target + rows.place(e)]), x[e]);
            if (!grad_waves) continue;
#pragma unroll
            for (int e = 0; e < ELEMENTS; ++e) x[e] = conj_times(ldg(&transmission[window + rows.place(e)]), x[e]);
            if (to_spectrum) rows.transform<FORWARD>(x);
            if (there && mode > wave_mode)
#pragma unroll
                for (int e = 0; e < ELEMENTS; ++e) x[e] += grad_waves[target + rows.place(e)];
            if (there)
#pragma unroll
                for (int e = 0; e < ELEMENTS; ++e) grad_waves[target + rows.place(e)] = x[e];
        }
        if (abreast > 1) rows.gather(sums, THREADS / abreast);
        if (row.mode > 0) continue;
        if (grad_patches)
#pragma unroll
            for (int e = 0; e < ELEMENTS; ++e)
                grad_patches[(exit_stack * height + row.y) * LENGTH + rows.place(e)] = sums[e];
        if (grad_transmission)
#pragma unroll
            for (int e = 0; e < ELEMENTS; ++e) red(&grad_transmission[window + rows.place(e)], sums[e]);
    }
}
