// Drives one layer core, compiled by Verilator, through its own ports: whole windows in one call.
//
// A clock is two evaluations: with the clock low, after which outputs answer to the inputs that now
// stand; and with it high, which is the edge. What is handed over is what stood before the edge.
// The functions at the end are called from Python; every array is the caller's.

#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>

#include "Vtop.h"
#include "shell.h"
#include "verilated.h"

namespace {

enum Status : int32_t { DONE = 0, STUCK = 1, WRONG_EVENT = 2, TOO_MUCH = 3 };

const uint32_t ALL_LANES[] = {LANE_MASK};

// A port of any width from and to 32-bit words, lowest first.
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

// Rows of one probe; `rows` is null where nobody wants them.
struct Record {
  uint32_t *rows;
  int64_t capacity;
  int64_t count;
};

}  // namespace

extern "C" {

struct Job {
  int64_t windows;
  const int64_t *pointers;    // (windows * STEPS + 1)
  const int32_t *addresses;
  const uint32_t *targets;    // rows of words, one a slot and step; null: none are sent
  int32_t target_words;
  int32_t learn;
  int64_t patience;           // clocks that a step may take
  uint8_t *raster;            // (windows * STEPS, NEURONS)
  int64_t *step_clocks;       // (windows * STEPS)
  int64_t *window_clocks;     // (windows)
  int64_t *step_digests;      // (windows * STEPS)
  Record *records;            // one a probe
  int64_t windows_done;
};

struct Core {
  std::unique_ptr<VerilatedContext> context;
  std::unique_ptr<Vtop> top;
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

void quieten(Vtop &top) {
  top.i_events_valid = 0;
  top.o_events_ready = 0;
  clear(top.host_weights_enable);
  top.host_schedule_enable = 0;
#if HAS_TARGETS
  top.i_targets_valid = 0;
#endif
#if HAS_LEARN
  top.host_entry_enable = 0;
  top.learn = 0;
#endif
}

int32_t reset(Vtop &top, int64_t patience) {
  quieten(top);
  // One clock cycle is enough, from whatever the core was doing.
  top.rst = 1;
  clock(top);
  top.rst = 0;
  for (int64_t n = 0; n < patience; ++n) {
    settle(top);
    if (top.host_idle) return DONE;
    edge(top);
  }
  return STUCK;
}

// Notes the rows of the probes that the core's `watch` says are there.
inline int32_t note(Vtop &top, Job &job) {
#if HAS_WATCH
  const unsigned flags = top.watch;
#define X(number, flag, words)                                                   \
  if ((flags & flag) && job.records[number].rows) {                              \
    Record &record = job.records[number];                                        \
    if (record.count == record.capacity) return TOO_MUCH;                        \
    take(top.probe##number, record.rows + record.count++ * words);               \
  }
  if (flags) {
    PROBES(X)
  }
#undef X
#endif
  return DONE;
}

int32_t run(Vtop &top, Job &job) {
  const int64_t *ends = job.pointers + 1;
  int64_t event = job.pointers[0], fed = 0, given = 0, step = 0, heard = 0;
  quieten(top);
  top.o_events_ready = 1;
#if HAS_LEARN
  top.learn = job.learn != 0;
#endif
  for (int64_t window = 0; window < job.windows; ++window) {
    const int64_t last_step = (window + 1) * STEPS;
    // The end of what came before this window's first clock.
    int64_t now = 0, before = -1;
    bool closed = false;
    for (;; ++now) {
      const bool offers = fed < last_step;
      const bool ends_step = offers && event == ends[fed];
      top.i_events_valid = offers;
      if (offers) top.i_events_payload = ends_step ? LAST_IN : job.addresses[event];
#if HAS_TARGETS
      const bool teaches = job.targets && given < last_step * SLOTS;
      top.i_targets_valid = teaches;
      if (teaches) put(top.i_targets_payload, job.targets + given * job.target_words);
#endif
      settle(top);
      if (closed && top.host_idle) break;
      if (now - before > job.patience) return STUCK;
      if (offers && top.i_events_ready) {
        if (ends_step) ++fed;
        else ++event;
      }
#if HAS_TARGETS
      if (teaches && top.i_targets_ready) ++given;
#endif
      if (top.o_events_valid) {
        if (heard == last_step) return TOO_MUCH;
        const unsigned said = top.o_events_payload;
        if (said & LAST_OUT) ++heard;
        else if (said >= NEURONS) return WRONG_EVENT;
        else ++job.raster[heard * NEURONS + said];
      }
      const int32_t noted = note(top, job);
      if (noted != DONE) return noted;
      if (top.step_done) {
        if (step == last_step) return TOO_MUCH;
        job.step_clocks[step] = now - before;
        before = now;
      }
      const bool ended = top.step_done;
      closed |= top.window_done;
      edge(top);
      if (ended) {
        // The last word of a step enters the signature before the step's end.
        job.step_digests[step++] = top.digest;
      }
    }
    if (step != last_step || heard != last_step) return TOO_MUCH;
    job.window_clocks[window] = now;
    job.windows_done = window + 1;
  }
  quieten(top);
  settle(top);
  return DONE;
}

int32_t write_rows(Vtop &top, int32_t memory, int64_t count, int32_t words,
                   const uint32_t *rows) {
  for (int64_t address = 0; address < count; ++address) {
    const uint32_t *row = rows + address * words;
    top.host_address = address;
    if (memory == 0) {
      put(top.host_weights_data, row);
      put(top.host_weights_enable, ALL_LANES);
    } else if (memory == 1) {
      put(top.host_schedule_data, row);
      top.host_schedule_enable = 1;
#if HAS_LEARN
    } else if (memory == 2) {
      put(top.host_entry_data, row);
      top.host_entry_enable = 1;
#endif
    } else {
      return WRONG_EVENT;
    }
    clock(top);
  }
  quieten(top);
  settle(top);
  return DONE;
}

// Reads a port's words; returns how many it has, 0 if this core has no such port.
int32_t read_port(Vtop &top, int32_t number, uint32_t *words) {
  switch (number) {
#define X(number, name)                  \
  case number:                           \
    take(top.name, words);               \
    return words_of<decltype(top.name)>();
    READ_PORTS(X)
#undef X
  }
  return 0;
}

}  // namespace

// All else stays inside the library.
#pragma GCC visibility push(default)

extern "C" {

Core *bitlif_open(int64_t patience) {
  auto core = std::make_unique<Core>();
  core->context = std::make_unique<VerilatedContext>();
  core->top = std::make_unique<Vtop>(core->context.get());
  return reset(*core->top, patience) == DONE ? core.release() : nullptr;
}

void bitlif_close(Core *core) {
  core->top->final();
  delete core;
}

int32_t bitlif_reset(Core *core, int64_t patience) { return reset(*core->top, patience); }

int32_t bitlif_run(Core *core, Job *job) { return run(*core->top, *job); }

int32_t bitlif_write(Core *core, int32_t memory, int64_t count, int32_t words,
                     const uint32_t *rows) {
  return write_rows(*core->top, memory, count, words, rows);
}

// What a port of the host says of the addresses 0 ..< count.
int32_t bitlif_read(Core *core, int32_t port, int64_t count, uint32_t *rows) {
  int32_t words = 1;
  for (int64_t address = 0; address < count && words; ++address) {
    core->top->host_address = address;
    clock(*core->top);
    settle(*core->top);
    words = read_port(*core->top, port, rows);
    rows += words;
  }
  return words;
}

int32_t bitlif_port(Core *core, int32_t port, uint32_t *words) {
  return read_port(*core->top, port, words);
}

}  // extern "C"

#pragma GCC visibility pop
