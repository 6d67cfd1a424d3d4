"""cocotb benches of the exported Verilog, and how they are run."""
