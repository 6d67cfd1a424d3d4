// Steps any design, compiled by Verilator, one clock cycle at a time, with access to all its ports.
//
// A clock cycle is two evaluations: with the clock low, after which the outputs follow the inputs,
// and with the clock high. The rows returned hold the outputs before the rising edge.

#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>

#include "Vtop.h"
#include "ports.h"
#include "verilated.h"

namespace {

struct Design {
  std::unique_ptr<VerilatedContext> context;
  std::unique_ptr<Vtop> top;
};

template <class Port>
const uint32_t *put(Port &port, const uint32_t *words) {
  if constexpr (std::is_integral_v<Port>) {
    uint64_t value = words[0];
    if constexpr (sizeof(Port) > 4) value |= uint64_t(words[1]) << 32;
    port = Port(value);
    return words + (sizeof(Port) > 4 ? 2 : 1);
  } else {
    std::memcpy(port.data(), words, sizeof(port));
    return words + sizeof(port) / 4;
  }
}

template <class Port>
uint32_t *take(const Port &port, uint32_t *words) {
  if constexpr (std::is_integral_v<Port>) {
    words[0] = uint32_t(port);
    if constexpr (sizeof(Port) > 4) words[1] = uint32_t(uint64_t(port) >> 32);
    return words + (sizeof(Port) > 4 ? 2 : 1);
  } else {
    std::memcpy(words, port.data(), sizeof(port));
    return words + sizeof(port) / 4;
  }
}

}  // namespace

#pragma GCC visibility push(default)

extern "C" {

// With a nonzero seed, registers without an initial value start with random ones.
Design *step_open(int32_t seed) {
  auto design = std::make_unique<Design>();
  design->context = std::make_unique<VerilatedContext>();
  if (seed) {
    design->context->randReset(2);
    design->context->randSeed(seed);
  }
  design->top = std::make_unique<Vtop>(design->context.get());
  return design.release();
}

void step_close(Design *design) {
  design->top->final();
  delete design;
}

void step_clock(Design *design, const uint32_t *in, uint32_t *out) {
  Vtop &top = *design->top;
#define X(name) in = put(top.name, in);
  INPUTS(X)
#undef X
  top.clk = 0;
  top.eval();
#define X(name) out = take(top.name, out);
  OUTPUTS(X)
#undef X
  top.clk = 1;
  top.eval();
}

}  // extern "C"

#pragma GCC visibility pop
