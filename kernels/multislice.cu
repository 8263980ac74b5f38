// All slices of a wave in one launch: the wave stays in shared memory from the first to the last.
// waves [n, w, p, y, x] before, exits behind them, in real space; windows of LENGTH x LENGTH.
#include "wave.cuh"

typedef WaveLines<LENGTH> AllLines;
typedef WaveLine<LENGTH, true> Row;
typedef WaveLine<LENGTH, false> Column;

constexpr int EACH = AllLines::EACH;
constexpr int PIXELS = AllLines::PIXELS;

// wave = scale F^-1 h F wave along columns, of a wave that is transformed along rows; h conjugate in the ADJOINT
template <bool ADJOINT>
DEVICE void propagate_columns(const AllLines& lines, complex* wave, const complex* transfer, real scale) {
#pragma unroll 1
    for (int x0 = lines.first; x0 < LENGTH; x0 += AllLines::COUNT) {
        Column column(lines, wave, x0);
        complex x[EACH];
        column.load(x);
        column.transform<FORWARD>(x);
        const complex* factors = transfer + column.begin();
#pragma unroll
        for (int e = 0; e < EACH; ++e) {
            complex h = scale * ldg(&factors[size_t(8) * e * LENGTH]);
            x[e] = ADJOINT ? conj_times(h, x[e]) : h * x[e];
        }
        column.transform<INVERSE>(x);
        column.store(x);
    }
}

// exits[i, o, p]: transmission by every slice of transmission[o] at the window, and propagation by transfer between
// slices; a block for each of n o p
KERNEL_OF_WAVES multislice_forward(
    complex* exits,               // [n, o, p, y, x]
    complex* entries,             // [n, o, p, z - 1, y, x] or null, the waves before each slice but the first
    const complex* waves,         // [n, w, p, y, x], w = o or 1
    const complex* transmission,  // [o, z, Y, X]
    const complex* transfer,      // [g, t, y, x], g = z - 1 or 1
    const int* corners,           // [N, 2]
    const int* indices,           // [n]
    real scale,                   // 1 / (y x)
    int slices,
    int gaps,
    int tilt_count,
    int object_modes,
    int wave_modes,
    int probe_modes,
    int canvas_height,
    int canvas_width) {
    DYNAMIC_SHARED(complex, wave);  // [y, x]
    SHARED_ARRAY(complex, turns, 8 * EACH);
    AllLines lines(turns);
    int stack = blockIdx.x / probe_modes, p = int(blockIdx.x) - stack * probe_modes;
    int pattern = stack / object_modes, mode = stack - pattern * object_modes;
    const complex* before = waves + (size_t(wave_modes == 1 ? pattern : stack) * probe_modes + p) * PIXELS;
    complex* behind = exits + size_t(blockIdx.x) * PIXELS;
    complex* kept = entries + size_t(blockIdx.x) * (slices - 1) * PIXELS;
    size_t canvas = size_t(canvas_height) * canvas_width;
    const complex* window = transmission + size_t(mode) * slices * canvas +
                            canvas_offset(corners, indices[pattern], 0, LENGTH, canvas_width);
#pragma unroll 1
    for (int s = 0; s < slices; ++s, window += canvas) {
#pragma unroll 1
        for (int y = lines.first; y < LENGTH; y += AllLines::COUNT) {
            Row row(lines, wave, y);
            complex x[EACH];
            if (s == 0) {
                const complex* line = before + row.begin();
#pragma unroll
                for (int e = 0; e < EACH; ++e) x[e] = line[8 * e];
            } else {
                row.load(x);
                row.transform<INVERSE>(x);
                if (entries) {
                    complex* line = kept + size_t(s - 1) * PIXELS + row.begin();
#pragma unroll
                    for (int e = 0; e < EACH; ++e) store_once(&line[8 * e], x[e]);
                }
            }
            const complex* pixels = window + size_t(fresh(y)) * canvas_width + lines.holder;
#pragma unroll
            for (int e = 0; e < EACH; ++e) x[e] = ldg(&pixels[8 * e]) * x[e];
            if (s + 1 < slices) {
                row.transform<FORWARD>(x);
                row.store(x);
            } else {
                complex* line = behind + row.begin();
#pragma unroll
                for (int e = 0; e < EACH; ++e) line[8 * e] = x[e];
            }
        }
        if (s + 1 == slices) break;
        __syncthreads();
        size_t plane = size_t(gaps == 1 ? 0 : s) * tilt_count + (tilt_count == 1 ? 0 : pattern);
        propagate_columns<false>(lines, wave, transfer + plane * PIXELS, scale);
        __syncthreads();
    }
}

// The adjoint, from the last slice to the first: grad_waves, summed over o where the waves have one object mode, and
// grad_transmission[o, s, corner + (y, x)] += sum_p conj(entries) g. A block for each of n w parts, which share the modes
// p, `abreast` at once: as many waves [y, x] of shared memory, summed in registers, and one atomic addition per pixel.
KERNEL_OF_WAVES multislice_backward(
    complex* grad_waves,          // [n, w, p, y, x] or null; may be grad_exits where w = o
    complex* grad_transmission,   // [o, z, Y, X] or null, accumulated into at the windows, atomically
    complex* grad_patches,        // [n, o, z, y, x] or null: the sums over p, for patch_gather; parts = 1
    const complex* grad_exits,    // [n, o, p, y, x]
    const complex* waves,         // [n, w, p, y, x]
    const complex* entries,       // [n, o, p, z - 1, y, x]
    const complex* transmission,  // [o, z, Y, X]
    const complex* transfer,      // [g, t, y, x]
    const int* corners,           // [N, 2]
    const int* indices,           // [n]
    real scale,
    int slices,
    int gaps,
    int tilt_count,
    int parts,
    int abreast,  // 1 where LENGTH is 128
    int object_modes,
    int wave_modes,
    int probe_modes,
    int canvas_height,
    int canvas_width) {
    DYNAMIC_SHARED(complex, shared);  // [abreast, y, x]
    SHARED_ARRAY(complex, turns, 8 * EACH);
    AllLines lines(turns);
    int stack = blockIdx.x / parts, part = int(blockIdx.x) - stack * parts;
    int pattern = stack / wave_modes, wave_mode = stack - pattern * wave_modes;
    int modes = object_modes / wave_modes;  // of the object, seen by one wave
    bool overlaps = grad_transmission || grad_patches;
    size_t canvas = size_t(canvas_height) * canvas_width;
    size_t corner = canvas_offset(corners, indices[pattern], 0, LENGTH, canvas_width);
#pragma unroll 1
    for (int first = part * abreast; first < probe_modes; first += parts * abreast)
#pragma unroll 1
        for (int mode = wave_mode; mode < wave_mode + modes; ++mode) {
            size_t exit_stack = size_t(pattern) * object_modes + mode;
            const int count = LENGTH == 128 ? 1 : (probe_modes - first < abreast ? probe_modes - first : abreast);
            size_t exit_wave = exit_stack * probe_modes + first, wave_place = size_t(stack) * probe_modes + first;
#pragma unroll 1
            for (int s = slices - 1; s >= 0; --s) {
                size_t window = (size_t(mode) * slices + s) * canvas + corner;
#pragma unroll 1
                for (int y = lines.first; y < LENGTH; y += AllLines::COUNT) {
                    complex sums[EACH];
#pragma unroll
                    for (int e = 0; e < EACH; ++e) sums[e] = {0, 0};
#pragma unroll 1
                    for (int a = 0; a < count; ++a) {
                        Row row(lines, shared + a * PIXELS, y);
                        complex x[EACH];
                        if (s + 1 < slices) {
                            row.load(x);
                            row.transform<INVERSE>(x);
                        } else {
                            const complex* line = grad_exits + (exit_wave + a) * PIXELS + row.begin();
#pragma unroll
                            for (int e = 0; e < EACH; ++e) x[e] = line[8 * e];
                        }
                        if (overlaps) {
                            const complex* line = s ? entries + ((exit_wave + a) * (slices - 1) + s - 1) * PIXELS
                                                    : waves + (wave_place + a) * PIXELS;
                            line += row.begin();
#pragma unroll
                            for (int e = 0; e < EACH; ++e) sums[e] += conj_times(load_once(&line[8 * e]), x[e]);
                        }
                        size_t pixel = window + size_t(fresh(y)) * canvas_width + lines.holder;
                        if (grad_patches && a + 1 == count) {
                            complex* line = grad_patches + (exit_stack * slices + s) * PIXELS + row.begin();
#pragma unroll
                            for (int e = 0; e < EACH; ++e) line[8 * e] = first ? line[8 * e] + sums[e] : sums[e];
                        }
                        if (grad_transmission && a + 1 == count)
#pragma unroll
                            for (int e = 0; e < EACH; ++e) red(&grad_transmission[pixel + 8 * e], sums[e]);
                        if (s == 0 && !grad_waves) continue;
#pragma unroll
                        for (int e = 0; e < EACH; ++e) x[e] = conj_times(ldg(&transmission[pixel + 8 * e]), x[e]);
                        if (s) {
                            row.transform<FORWARD>(x);
                            row.store(x);
                        } else {
                            complex* line = grad_waves + (wave_place + a) * PIXELS + row.begin();
#pragma unroll
                            for (int e = 0; e < EACH; ++e) line[8 * e] = mode > wave_mode ? line[8 * e] + x[e] : x[e];
                        }
                    }
                }
                if (s == 0) break;
                __syncthreads();
                size_t plane = size_t(gaps == 1 ? 0 : s - 1) * tilt_count + (tilt_count == 1 ? 0 : pattern);
#pragma unroll 1
                for (int a = 0; a < count; ++a)
                    propagate_columns<true>(lines, shared + a * PIXELS, transfer + plane * PIXELS, scale);
                __syncthreads();
            }
        }
}
