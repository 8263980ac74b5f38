// All slices of a wave in one launch: the wave stays in shared memory from the first to the last, or from the probe to
// the detector. waves [n, w, p, y, x] before, exits behind the slices; windows of LENGTH x LENGTH.
#include "wave.cuh"

typedef WaveLines<LENGTH> AllLines;
typedef WaveLine<LENGTH, true> Row;
typedef WaveLine<LENGTH, false> Column;

constexpr int EACH = AllLines::EACH;
constexpr int PIXELS = AllLines::PIXELS;

// The number of a wave [i, state, mode].
DEVICE size_t wave_of(int pattern, int states, int state, int modes, int mode) {
    return (size_t(pattern) * states + state) * modes + mode;
}

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

// wave = F^-1 spectrum ramp along columns, ramp = exp(-2 pi i (s_y f_y + s_x f_x))
DEVICE void begin_at_probe(const AllLines& lines, complex* wave, const complex* spectrum, const real* shift,
                           real scale) {
#pragma unroll 1
    for (int x0 = lines.first; x0 < LENGTH; x0 += AllLines::COUNT) {
        Column column(lines, wave, x0);
        complex x[EACH];
        const complex* numbers = spectrum + column.begin();
        real cycles = shift[1] * frequency(x0, LENGTH);
#pragma unroll
        for (int e = 0; e < EACH; ++e) {
            complex turn = phasor_cycles(-(shift[0] * frequency(lines.holder + 8 * e, LENGTH) + cycles));
            x[e] = scale * (turn * ldg(&numbers[size_t(8) * e * LENGTH]));
        }
        column.transform<INVERSE>(x);
        column.store(x);
    }
}

// spectrum (+)= scale F wave along columns
DEVICE void end_in_spectrum(const AllLines& lines, complex* spectrum, complex* wave, real scale, bool add) {
#pragma unroll 1
    for (int x0 = lines.first; x0 < LENGTH; x0 += AllLines::COUNT) {
        Column column(lines, wave, x0);
        complex x[EACH];
        column.load(x);
        column.transform<FORWARD>(x);
        complex* numbers = spectrum + column.begin();
#pragma unroll
        for (int e = 0; e < EACH; ++e) {
            complex* number = &numbers[size_t(8) * e * LENGTH];
            *number = add ? *number + scale * x[e] : scale * x[e];
        }
    }
}

// wave = scale F^-1 weight grad_intensity far along columns
DEVICE void begin_at_detector(const AllLines& lines, complex* wave, const complex* far, const real* grad_intensity,
                              real scale) {
#pragma unroll 1
    for (int x0 = lines.first; x0 < LENGTH; x0 += AllLines::COUNT) {
        Column column(lines, wave, x0);
        complex x[EACH];
        int begin = column.begin();
#pragma unroll
        for (int e = 0; e < EACH; ++e) {
            size_t k = begin + size_t(8) * e * LENGTH;
            x[e] = scale * ldg(&grad_intensity[k]) * far[k];
        }
        column.transform<INVERSE>(x);
        column.store(x);
    }
}

// exits[i, o, p]: transmission by every slice of transmission[o] at the window, and propagation by transfer between
// slices; a block for each of n o p. With a spectrum, waves = F^-1 spectrum ramp_i, exits = F exits / LENGTH.
KERNEL_OF_WAVES multislice_forward(
    complex* exits,               // [n, o, p, y, x]
    complex* entries,             // [n, o, p, z - 1, y, x] or null, the waves before each slice but the first
    complex* waves,               // [n, w, p, y, x], w = o or 1; written where there is a spectrum, then w = 1
    const complex* spectrum,      // [p, y, x] or null
    const real* shifts,           // [n, 2] px or null
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
    complex* before = waves + (size_t(wave_modes == 1 ? pattern : stack) * probe_modes + p) * PIXELS;
    complex* behind = exits + size_t(blockIdx.x) * PIXELS;
    complex* kept = entries + size_t(blockIdx.x) * (slices - 1) * PIXELS;
    size_t canvas = size_t(canvas_height) * canvas_width;
    const complex* window = transmission + size_t(mode) * slices * canvas +
                            canvas_offset(corners, indices[pattern], 0, LENGTH, canvas_width);
    if (spectrum) {
        begin_at_probe(lines, wave, spectrum + size_t(p) * PIXELS, shifts + 2 * pattern, scale);
        __syncthreads();
    }
#pragma unroll 1
    for (int s = 0; s < slices; ++s, window += canvas) {
#pragma unroll 1
        for (int y = lines.first; y < LENGTH; y += AllLines::COUNT) {
            Row row(lines, wave, y);
            complex x[EACH];
            if (s == 0 && !spectrum) {
                const complex* line = before + row.begin();
#pragma unroll
                for (int e = 0; e < EACH; ++e) x[e] = line[8 * e];
            } else {
                row.load(x);
                row.transform<INVERSE>(x);
                if (s ? entries != nullptr : mode == 0) {
                    complex* line = (s ? kept + size_t(s - 1) * PIXELS : before) + row.begin();
#pragma unroll
                    for (int e = 0; e < EACH; ++e) store_once(&line[8 * e], x[e]);
                }
            }
            const complex* pixels = window + size_t(fresh(y)) * canvas_width + lines.holder;
#pragma unroll
            for (int e = 0; e < EACH; ++e) x[e] = ldg(&pixels[8 * e]) * x[e];
            if (s + 1 < slices || spectrum) {
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
    if (!spectrum) return;
    __syncthreads();
    end_in_spectrum(lines, behind, wave, scale * LENGTH, false);
}

// The adjoint, from the last slice to the first: grad_waves, summed over o where the waves have one object mode, and
// grad_transmission[o, s, corner + (y, x)] += sum_p conj(entries) g. A block for each of n w parts, which share the
// modes p, `abreast` at once: as many waves of shared memory, summed in registers, and one atomic addition per pixel.
// With grad_intensity, grad_exits = F^-1 2 occupancy[o] grad_intensity exits / LENGTH, times factor deferred if there is
// one, and grad_waves = F grad_waves.
KERNEL_OF_WAVES multislice_backward(
    complex* grad_waves,          // [n, w, p, y, x] or null; may be grad_exits where w = o
    complex* grad_transmission,   // [o, z, Y, X] or null, accumulated into at the windows, atomically
    complex* grad_patches,        // [n, o, z, y, x] or null: the sums over p, for patch_gather; parts = 1
    const complex* grad_exits,    // [n, o, p, y, x]; with grad_intensity, exits
    const real* grad_intensity,   // [n, y, x] or null
    const real* occupancy,        // [o] or null
    const complex* waves,         // [n, w, p, y, x]
    const complex* entries,       // [n, o, p, z - 1, y, x]
    const complex* transmission,  // [o, z, Y, X]
    const complex* transfer,      // [g, t, y, x]
    const int* corners,           // [N, 2]
    const int* indices,           // [n]
    const double* deferred,       // [1] or null
    double factor,
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
    const int most = LENGTH == 128 ? 1 : abreast;
#pragma unroll 1
    for (int first = part * most; first < probe_modes; first += parts * most)
#pragma unroll 1
        for (int mode = wave_mode; mode < wave_mode + modes; ++mode) {
            const int count = most == 1 || probe_modes - first >= most ? most : probe_modes - first;
            if (grad_intensity) {
                real weight = 2 * occupancy[mode] * scale * LENGTH * deferred_scale(deferred, factor);
#pragma unroll 1
                for (int a = 0; a < count; ++a)
                    begin_at_detector(
                        lines, shared + a * PIXELS,
                        grad_exits + wave_of(pattern, object_modes, mode, probe_modes, first + a) * PIXELS,
                        grad_intensity + size_t(pattern) * PIXELS, weight);
                __syncthreads();
            }
#pragma unroll 1
            for (int s = slices - 1; s >= 0; --s) {
#pragma unroll 1
                for (int y = lines.first; y < LENGTH; y += AllLines::COUNT) {
                    complex sums[EACH];
#pragma unroll
                    for (int e = 0; e < EACH; ++e) sums[e] = {0, 0};
#pragma unroll 1
                    for (int a = 0; a < count; ++a) {
                        Row row(lines, shared + a * PIXELS, y);
                        complex x[EACH];
                        if (s + 1 < slices || grad_intensity) {
                            row.load(x);
                            row.transform<INVERSE>(x);
                        } else {
                            const complex* line = grad_exits + row.begin();
                            line += wave_of(pattern, object_modes, mode, probe_modes, first + a) * PIXELS;
#pragma unroll
                            for (int e = 0; e < EACH; ++e) x[e] = line[8 * e];
                        }
                        if (overlaps) {
                            size_t exit = wave_of(pattern, object_modes, mode, probe_modes, first + a);
                            size_t before = wave_of(pattern, wave_modes, wave_mode, probe_modes, first + a);
                            const complex* line = waves + before * PIXELS;
                            if (s) line = entries + (exit * (slices - 1) + s - 1) * PIXELS;
                            line += row.begin();
#pragma unroll
                            for (int e = 0; e < EACH; ++e) sums[e] += conj_times(load_once(&line[8 * e]), x[e]);
                        }
                        size_t pixel = (size_t(mode) * slices + s) * canvas_height * canvas_width +
                                       canvas_offset(corners, indices[pattern], row.begin(), LENGTH, canvas_width);
                        if (grad_patches && a + 1 == count) {
                            complex* line = grad_patches + row.begin();
                            line += wave_of(pattern, object_modes, mode, slices, s) * PIXELS;
#pragma unroll
                            for (int e = 0; e < EACH; ++e) line[8 * e] = first ? line[8 * e] + sums[e] : sums[e];
                        }
                        if (grad_transmission && a + 1 == count)
#pragma unroll
                            for (int e = 0; e < EACH; ++e) red(&grad_transmission[pixel + 8 * e], sums[e]);
                        if (s == 0 && !grad_waves) continue;
                        const complex* object = transmission + pixel;
#pragma unroll
                        for (int e = 0; e < EACH; ++e) x[e] = conj_times(ldg(&object[8 * e]), x[e]);
                        if (s || grad_intensity) {
                            row.transform<FORWARD>(x);
                            row.store(x);
                        } else {
                            complex* line = grad_waves + row.begin();
                            line += wave_of(pattern, wave_modes, wave_mode, probe_modes, first + a) * PIXELS;
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
            if (!grad_intensity) continue;
            __syncthreads();
            if (!grad_waves) continue;
#pragma unroll 1
            for (int a = 0; a < count; ++a)
                end_in_spectrum(lines,
                                grad_waves + wave_of(pattern, wave_modes, wave_mode, probe_modes, first + a) * PIXELS,
                                shared + a * PIXELS, 1, mode > wave_mode);
        }
}
