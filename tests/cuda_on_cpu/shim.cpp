// The scheduler behind shim.hpp: one fiber per CUDA thread for kernels with barriers, plain loops for the others.
#include "shim.hpp"

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

Index threadIdx, blockIdx;

namespace {

constexpr std::size_t STACK_BYTES = 64 * 1024;
constexpr unsigned WARP = 32;
constexpr std::size_t GUARD = 64;  // bytes behind a block's dynamic shared memory
constexpr char PATTERN = char(0xa5);

// A fiber is entered once through ucontext and then switched by setjmp, which needs no system call.
struct Fiber {
    ucontext_t context;
    jmp_buf waiting;
    bool started;
    std::unique_ptr<char[]> stack{new char[STACK_BYTES]};
    int barriers;       // of the block, passed so far
    int warp_barriers;  // since the last of those
    bool in_warp;       // waits for its warp alone
    bool finished;
};

std::vector<std::unique_ptr<Fiber>> fibers;
std::map<std::pair<std::size_t, std::size_t>, std::vector<char>> shared_arrays;
std::vector<double> dynamic_shared;  // doubles for their alignment
jmp_buf scheduler;
Fiber* running = nullptr;
void (*entry)(void**) = nullptr;
void** entry_arguments = nullptr;

[[noreturn]] void fail(const char* message) {
    std::fprintf(stderr, "cuda_on_cpu: %s (block %u, thread %u)\n", message, blockIdx.x, threadIdx.x);
    std::abort();
}

void fiber_main() {
    entry(entry_arguments);
    running->finished = true;
    _longjmp(scheduler, 1);
}

// Runs a fiber until it waits at a barrier or ends.
void resume(Fiber& fiber) {
    running = &fiber;
    if (_setjmp(scheduler)) return;
    if (fiber.started) _longjmp(fiber.waiting, 1);
    fiber.started = true;
    setcontext(&fiber.context);
}

unsigned place_in(int schedule, unsigned i, unsigned count) {
    if (schedule == 0) return i;
    if (schedule == 1) return count - 1 - i;
    unsigned half = (count + 1) / 2;  // 0, 2, 4, ..., 1, 3, 5, ...
    return i < half ? 2 * i : 2 * (i - half) + 1;
}

// Runs a warp until all of it waits for the block, or has ended: no other warp runs while it waits for itself alone.
// Returns how many of its threads ended.
unsigned run_warp(unsigned first, unsigned block, int schedule, int& furthest) {
    unsigned count = std::min(WARP, block - first), ended = 0;
    for (bool again = true; again;) {
        unsigned waiting = 0, running_threads = 0;
        int passed = -1;
        for (unsigned i = 0; i < count; ++i) {
            threadIdx.x = first + place_in(schedule, i, count);
            Fiber& fiber = *fibers[threadIdx.x];
            if (fiber.finished) continue;
            ++running_threads;
            resume(fiber);
            if (fiber.finished) {
                ++ended;
                continue;
            }
            waiting += fiber.in_warp;
            if (passed >= 0 && fiber.warp_barriers != passed) fail("threads wait at different barriers of a warp");
            passed = fiber.warp_barriers;
            if (fiber.in_warp) continue;
            if (furthest >= 0 && fiber.barriers != furthest) fail("threads wait at different barriers");
            furthest = fiber.barriers;
        }
        if (waiting > 0 && waiting < running_threads) fail("divergent barrier of a warp");
        again = waiting > 0;
    }
    return ended;
}

void run_with_barriers(unsigned block, int schedule) {
    while (fibers.size() < block) fibers.push_back(std::make_unique<Fiber>());
    for (unsigned t = 0; t < block; ++t) {
        Fiber& fiber = *fibers[t];
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.get();
        fiber.context.uc_stack.ss_size = STACK_BYTES;
        fiber.context.uc_link = nullptr;
        fiber.started = false;
        fiber.barriers = fiber.warp_barriers = 0;
        fiber.in_warp = false;
        fiber.finished = false;
        makecontext(&fiber.context, fiber_main, 0);
    }
    for (unsigned unfinished = block; unfinished > 0;) {
        int furthest = -1;
        unsigned warps = (block + WARP - 1) / WARP;
        for (unsigned w = 0; w < warps; ++w)
            unfinished -= run_warp(place_in(schedule, w, warps) * WARP, block, schedule, furthest);
        // A thread that has left cannot arrive at the barrier where others of its block wait.
        if (unfinished > 0 && unfinished < block) fail("divergent barrier: some threads left the kernel before it");
    }
    running = nullptr;
}

}  // namespace

void shim_barrier() {
    if (!running) fail("barrier in a kernel that was taken for one without");
    ++running->barriers;
    running->warp_barriers = 0;
    running->in_warp = false;
    if (!_setjmp(running->waiting)) _longjmp(scheduler, 1);
}

void shim_warp_barrier() {
    if (!running) fail("barrier in a kernel that was taken for one without");
    ++running->warp_barriers;
    running->in_warp = true;
    if (!_setjmp(running->waiting)) _longjmp(scheduler, 1);
}

void* shim_shared(std::size_t key, std::size_t bytes) {
    std::vector<char>& memory = shared_arrays[{key, bytes}];
    if (memory.empty()) memory.assign(bytes, char(0xff));
    return memory.data();
}

void* shim_dynamic() { return dynamic_shared.data(); }

void shim_run(void (*thread)(void**), void** arguments, unsigned grid, unsigned block, std::size_t dynamic_bytes,
              int schedule, bool barriers) {
    entry = thread;
    entry_arguments = arguments;
    dynamic_shared.resize((dynamic_bytes + GUARD) / sizeof(double) + 1);
    char* dynamic = reinterpret_cast<char*>(dynamic_shared.data());
    std::memset(dynamic + dynamic_bytes, PATTERN, GUARD);
    for (unsigned b = 0; b < grid; ++b) {
        blockIdx.x = place_in(schedule, b, grid);
        for (auto& array : shared_arrays) std::memset(array.second.data(), 0xff, array.second.size());
        std::memset(dynamic, 0xff, dynamic_bytes);
        if (barriers) {
            run_with_barriers(block, schedule);
        } else {
            for (unsigned t = 0; t < block; ++t) {
                threadIdx.x = place_in(schedule, t, block);
                thread(arguments);
            }
        }
        for (std::size_t i = 0; i < GUARD; ++i)
            if (dynamic[dynamic_bytes + i] != PATTERN) fail("a write behind the block's dynamic shared memory");
    }
}
