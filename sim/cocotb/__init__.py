"""cocotb benches of the exported Verilog, and functions that run them."""
