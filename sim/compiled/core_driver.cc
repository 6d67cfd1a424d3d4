// Drives the core of a layer or a network, compiled by Verilator, through its ports: whole windows,
// or one step of a window, in one call.
//
// A clock cycle is two evaluations: with the clock low, after which the outputs follow the inputs,
// and with the clock high, which is the rising edge. A stream transfers what its ports hold before
// that edge. The functions at the end are called from Python, which owns all arrays.

#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>

#include "Vtop.h"
#include "shell.h"
#include "verilated.h"

namespace {

// The result of a call. `FAILURES` in bitlif.sim.backends.gate_library has the messages.
enum Status : int32_t { DONE = 0, STALLED = 1, WRONG_EVENT = 2, TOO_MUCH = 3 };

// What enables all lanes of a memory.
#define X(number, address, data, enable) const uint32_t ENABLED_##number[] = {ENABLE_##number};
MEMORIES(X)
#undef X

// Copy 32-bit words, lowest first, to and from a port of any width.
template <class Port>
void put(Port &port, const uint32_t *words) {
  if constexpr (std::is_integral_v<Port>) {
    uint64_t value = words[0];
    if constexpr (sizeof(Port) > 4) value |= uint64_t(words[1]) << 32;
    port = Port(value);
  } else {
    std::memcpy(port.data(), words, sizeof(port));
  }
}

template <class Port>
void take(const Port &port, uint32_t *words) {
  if constexpr (std::is_integral_v<Port>) {
    words[0] = uint32_t(port);
    if constexpr (sizeof(Port) > 4) words[1] = uint32_t(uint64_t(port) >> 32);
  } else {
    std::memcpy(words, port.data(), sizeof(port));
  }
}

template <class Port>
void clear(Port &port) {
  if constexpr (std::is_integral_v<Port>) port = 0;
  else std::memset(port.data(), 0, sizeof(port));
}

template <class Port>
constexpr int words_of() {
  return sizeof(Port) > 4 ? int(sizeof(Port) / 4) : 1;
}

// The rows of one probe. `rows` is null if they are not recorded.
struct Record {
  uint32_t *rows;
  int64_t capacity;
  int64_t count;
};

}  // namespace

extern "C" {

struct Job {
  int64_t windows;
  int64_t steps;              // steps of all windows, or 1
  const int64_t *pointers;    // (windows * STEPS + 1)
  const int32_t *addresses;
  const uint32_t *targets;    // one row of words per step and slot; null if none are sent
  int32_t target_words;
  int32_t learn;
  int64_t max_step_clocks;    // clock cycles after which a step counts as stalled
  uint8_t *raster;            // (windows * STEPS, NEURONS)
  int64_t *step_clocks;       // (windows * STEPS)
  int64_t *window_clocks;     // (windows)
  int64_t *step_digests;      // (LAYERS, steps)
  Record *records;            // one per probe
  int64_t windows_done;
};

// The core's counters, one field per counter.
struct Counters {
#define X(name) uint32_t name;
  COUNTERS(X)
#undef X
};

// Clock cycles of a window so far, and the one in which its last step ended.
struct Window {
  int64_t now = 0, before = -1;
};

struct Core {
  std::unique_ptr<VerilatedContext> context;
  std::unique_ptr<Vtop> top;
  // The window that is run step by step, and how many of its steps have run.
  Window window;
  int64_t steps = 0;
};

}  // extern "C"

namespace {

inline void settle(Vtop &top) {
  top.clk = 0;
  top.eval();
}

inline void edge(Vtop &top) {
  top.clk = 1;
  top.eval();
}

inline void clock(Vtop &top) {
  settle(top);
  edge(top);
}

void deassert_inputs(Vtop &top) {
  top.i_events_valid = 0;
  top.o_events_ready = 0;
#define X(number, address, data, enable) clear(top.enable);
  MEMORIES(X)
#undef X
#if HAS_TARGETS
  top.i_targets_valid = 0;
#endif
#if HAS_LEARN
  top.learn = 0;
#endif
}

int32_t reset(Vtop &top, int64_t max_clocks) {
  deassert_inputs(top);
  // One clock cycle resets the core in any state.
  top.rst = 1;
  clock(top);
  top.rst = 0;
  for (int64_t n = 0; n < max_clocks; ++n) {
    settle(top);
    if (top.IDLE) return DONE;
    edge(top);
  }
  return STALLED;
}

// What happens in a clock cycle, by layer: the bits of its signal `watch`.
struct Flags {
  unsigned of[LAYERS] = {};
  bool any = false;
};

inline Flags look(const Vtop &top) {
  Flags flags;
#if HAS_WATCH
#define X(layer, watch, digest, count)     \
  flags.of[layer] = top.watch;             \
  flags.any |= flags.of[layer] != 0;
  EACH_LAYER(X)
#undef X
#endif
  return flags;
}

// Records the probes that are valid in a clock cycle.
inline int32_t record_probes(const Vtop &top, Job &job, const Flags &flags) {
#define X(number, layer, flag, words)                                            \
  if ((flags.of[layer] & flag) && job.records[number].rows) {                    \
    Record &record = job.records[number];                                        \
    if (record.count == record.capacity) return TOO_MUCH;                        \
    take(top.probe##number, record.rows + record.count++ * words);               \
  }
  if (flags.any) {
    PROBES(X)
  }
#undef X
  return DONE;
}

// How much of a job has been done.
struct Progress {
  int64_t event, sent_steps, sent_targets, step, received_steps;
  int64_t slots[LAYERS];
};

// Allows steps to begin, with or without learning.
void allow(Vtop &top, const Job &job) {
  top.o_events_ready = 1;
#if HAS_LEARN
  top.learn = job.learn != 0;
#endif
}

// Runs until `last_step` steps of the job have ended and, if `ends`, their window has too.
//
// The signature of a step includes the neurons of its last slot, and those of the next step may
// follow before the step ends. Without the signal `watch`, it is read when the step ends, which is
// right for a step that runs by itself. A step of a network ends in its last layer; if nothing shows
// that, it ends with its last output event.
int32_t advance(Vtop &top, Job &job, Progress &done, Window &window, int64_t last_step, bool ends) {
  const int64_t *ends_of_steps = job.pointers + 1;
  int64_t event = done.event, sent_steps = done.sent_steps, sent_targets = done.sent_targets;
  int64_t step = done.step, received_steps = done.received_steps;
  int64_t(&slots)[LAYERS] = done.slots;
  int64_t now = window.now, before = window.before;
  bool closed = false;
  for (;; ++now) {
    if (!ends && step == last_step && received_steps == last_step) break;
    const bool offers = sent_steps < last_step;
    const bool ends_step = offers && event == ends_of_steps[sent_steps];
    top.i_events_valid = offers;
    if (offers) top.i_events_payload = ends_step ? LAST_IN : job.addresses[event];
#if HAS_TARGETS
    const bool teaches = job.targets && sent_targets < last_step * SLOTS;
    top.i_targets_valid = teaches;
    if (teaches) put(top.i_targets_payload, job.targets + sent_targets * job.target_words);
#endif
    settle(top);
    if (closed && top.IDLE) break;
    if (now - before > job.max_step_clocks) return STALLED;
    if (offers && top.i_events_ready) {
      if (ends_step) ++sent_steps;
      else ++event;
    }
#if HAS_TARGETS
    if (teaches && top.i_targets_ready) ++sent_targets;
#endif
    bool sent = false;
    if (top.o_events_valid) {
      if (received_steps == last_step) return TOO_MUCH;
      const unsigned output = top.o_events_payload;
      sent = output & LAST_OUT;
      if (sent) ++received_steps;
      else if (output >= NEURONS) return WRONG_EVENT;
      else ++job.raster[received_steps * NEURONS + output];
    }
    const Flags flags = look(top);
    const int32_t recorded = record_probes(top, job, flags);
    if (recorded != DONE) return recorded;
#if HAS_STEP_DONE
    const bool ended = top.step_done;
#elif HAS_WATCH
    const bool ended = flags.of[LAYERS - 1] & STEP_FLAG;
#else
    const bool ended = sent;
#endif
    if (ended) {
      if (step == last_step) return TOO_MUCH;
      job.step_clocks[step] = now - before;
      before = now;
    }
    bool whole[LAYERS];
#define X(layer, watch, digest, count)                                           \
  {                                                                              \
    const bool passed = HAS_WATCH ? flags.of[layer] & SLOT_FLAG : ended;         \
    if (HAS_WATCH && passed && slots[layer] == last_step * count) return TOO_MUCH; \
    slots[layer] += passed ? (HAS_WATCH ? 1 : count) : 0;                        \
    whole[layer] = passed && slots[layer] % count == 0;                          \
  }
    EACH_LAYER(X)
#undef X
    closed |= top.window_done;
    edge(top);
#define X(layer, watch, digest, count)                                           \
  if (whole[layer])                                                              \
    job.step_digests[layer * job.steps + slots[layer] / count - 1] = top.digest;
    EACH_LAYER(X)
#undef X
    step += ended;
  }
  if (step != last_step || received_steps != last_step) return TOO_MUCH;
  done.event = event;
  done.sent_steps = sent_steps;
  done.sent_targets = sent_targets;
  done.step = step;
  done.received_steps = received_steps;
  window.now = now;
  window.before = before;
  return DONE;
}

int32_t run(Vtop &top, Job &job) {
  deassert_inputs(top);
  allow(top, job);
  Progress done = {job.pointers[0], 0, 0, 0, 0, {}};
  for (int64_t number = 0; number < job.windows; ++number) {
    Window window;
    const int32_t status = advance(top, job, done, window, (number + 1) * STEPS, true);
    if (status != DONE) return status;
    job.window_clocks[number] = window.now;
    job.windows_done = number + 1;
  }
  deassert_inputs(top);
  settle(top);
  return DONE;
}

// Runs the next step of the current window; the last one ends it. The arrays of the job have room
// for one step and one window. `windows_done` counts steps; it is negative until a step begins.
int32_t run_step(Core &core, Job &job) {
  Vtop &top = *core.top;
  job.windows_done = 0;
  if (core.steps == 0) {
    deassert_inputs(top);
    core.window = Window();
  }
  allow(top, job);
  Progress done = {job.pointers[0], 0, 0, 0, 0, {}};
  const bool ends = core.steps == STEPS - 1;
  const int32_t status = advance(top, job, done, core.window, 1, ends);
  if (status != DONE) return status;
  if (ends) {
    deassert_inputs(top);
    settle(top);
  } else {
    // No clock cycle passes until the next step.
    top.i_events_valid = 0;
#if HAS_TARGETS
    top.i_targets_valid = 0;
#endif
  }
  job.window_clocks[0] = core.window.now;
  core.steps = ends ? 0 : core.steps + 1;
  job.windows_done = 1;
  return DONE;
}

int32_t write_rows(Vtop &top, int32_t memory, int64_t count, const int64_t *addresses,
                   int32_t words, const uint32_t *rows) {
  for (int64_t place = 0; place < count; ++place) {
    const uint32_t *row = rows + place * words;
    switch (memory) {
#define X(number, address, data, enable) \
  case number:                           \
    top.address = addresses[place];      \
    put(top.data, row);                  \
    put(top.enable, ENABLED_##number);   \
    break;
      MEMORIES(X)
#undef X
      default:
        return WRONG_EVENT;
    }
    clock(top);
  }
  deassert_inputs(top);
  settle(top);
  return DONE;
}

// Reads the words of a port. Returns their number, or 0 if this core has no such port.
int32_t read_port(Vtop &top, int32_t number, uint32_t *words) {
  switch (number) {
#define X(number, name, address)         \
  case number:                           \
    take(top.name, words);               \
    return words_of<decltype(top.name)>();
    READ_PORTS(X)
#undef X
  }
  return 0;
}

// Sets the address of the host port that a port belongs to.
void choose(Vtop &top, int32_t number, int64_t value) {
  switch (number) {
#define X(number, name, address) \
  case number:                   \
    top.address = value;         \
    break;
    READ_PORTS(X)
#undef X
  }
}

}  // namespace

// Only these functions are exported from the library.
#pragma GCC visibility push(default)

extern "C" {

Core *bitlif_open(int64_t max_clocks) {
  auto core = std::make_unique<Core>();
  core->context = std::make_unique<VerilatedContext>();
  core->top = std::make_unique<Vtop>(core->context.get());
  return reset(*core->top, max_clocks) == DONE ? core.release() : nullptr;
}

void bitlif_close(Core *core) {
  core->top->final();
  delete core;
}

int32_t bitlif_reset(Core *core, int64_t max_clocks) {
  core->steps = 0;
  return reset(*core->top, max_clocks);
}

int32_t bitlif_run(Core *core, Job *job) { return run(*core->top, *job); }

int32_t bitlif_step(Core *core, Job *job) { return run_step(*core, *job); }

// Writes rows of words to a memory at `count` addresses.
int32_t bitlif_write(Core *core, int32_t memory, int64_t count, const int64_t *addresses,
                     int32_t words, const uint32_t *rows) {
  return write_rows(*core->top, memory, count, addresses, words, rows);
}

// Reads a host port at `count` addresses.
int32_t bitlif_read(Core *core, int32_t port, int64_t count, const int64_t *addresses,
                    uint32_t *rows) {
  int32_t words = 1;
  for (int64_t number = 0; number < count && words; ++number) {
    choose(*core->top, port, addresses[number]);
    for (int32_t clocks = 0; clocks < READ_CLOCKS; ++clocks) clock(*core->top);
    settle(*core->top);
    words = read_port(*core->top, port, rows);
    rows += words;
  }
  return words;
}

int32_t bitlif_port(Core *core, int32_t port, uint32_t *words) {
  return read_port(*core->top, port, words);
}

void bitlif_counters(Core *core, Counters *counters) {
#define X(name) counters->name = core->top->name;
  COUNTERS(X)
#undef X
}

}  // extern "C"

#pragma GCC visibility pop
