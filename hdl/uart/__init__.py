"""The layer core behind a serial line: bytes, frames and requests (docs/uart.md)."""
