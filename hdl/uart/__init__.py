"""The layer core with a serial line: bytes, frames and requests (docs/uart.md)."""
