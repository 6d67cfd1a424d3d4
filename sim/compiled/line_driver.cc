// Drives a layer with its UART, compiled by Verilator, through its two pins.
//
// The input is a sequence of line levels, one per bit; a byte has ten. The output of the board is
// sampled in the middle of its bits. The functions are called from Python, which owns all arrays.

#include <cstdint>
#include <memory>

#include "Vtop.h"
#include "line.h"
#include "verilated.h"

namespace {

struct Board {
  std::unique_ptr<VerilatedContext> context;
  std::unique_ptr<Vtop> top;
  int64_t clocks = 0;
  // The byte being received: clock cycles to its next bit, number of bits so far (-1 if none), and
  // their values.
  int64_t wait = 0;
  int bit = -1;
  uint32_t bits = 0;
};

// Runs one clock cycle. Returns the byte completed in it, -1 if none, or -2 if its stop bit is
// missing.
int clock(Board &board, uint8_t level) {
  Vtop &top = *board.top;
  top.rx = level;
  top.clk = 0;
  top.eval();
  top.clk = 1;
  top.eval();
  board.clocks++;
  if (board.bit < 0) {
    if (top.tx) return -1;
    board.bit = 0;
    board.bits = 0;
    board.wait = DIVISOR + DIVISOR / 2;
    return -1;
  }
  if (--board.wait) return -1;
  board.wait = DIVISOR;
  if (board.bit < 8) {
    board.bits |= uint32_t(top.tx & 1) << board.bit;
    board.bit++;
    return -1;
  }
  board.bit = -1;
  return top.tx ? int(board.bits) : -2;
}

}  // namespace

extern "C" {

// Holds the reset for a number of clock cycles. A byte being received is lost.
__attribute__((visibility("default"))) void line_reset(Board *board, int64_t clocks) {
  board->top->rst = 1;
  for (int64_t k = 0; k < clocks; k++) clock(*board, 1);
  board->top->rst = 0;
  board->bit = -1;
}

__attribute__((visibility("default"))) Board *line_open() {
  Board *board = new Board;
  board->context = std::make_unique<VerilatedContext>();
  board->top = std::make_unique<Vtop>(board->context.get());
  board->top->rx = 1;
  line_reset(board, 8);
  return board;
}

__attribute__((visibility("default"))) void line_close(Board *board) { delete board; }

__attribute__((visibility("default"))) int64_t line_clocks(const Board *board) {
  return board->clocks;
}

// Applies levels, then `idle` clock cycles of an idle line. Returns the number of bytes received, of
// which at most `room` are stored, or -1 if a stop bit is missing.
__attribute__((visibility("default"))) int64_t line_run(
    Board *board, const uint8_t *levels, int64_t count, int64_t idle, uint8_t *bytes,
    int64_t room) {
  int64_t came = 0;
  const int64_t all = count * DIVISOR + idle;
  for (int64_t k = 0; k < all; k++) {
    const int64_t place = k / DIVISOR;
    const int byte = clock(*board, place < count ? levels[place] : 1);
    if (byte == -2) return -1;
    if (byte < 0) continue;
    if (came < room) bytes[came] = uint8_t(byte);
    came++;
  }
  return came;
}

}  // extern "C"
