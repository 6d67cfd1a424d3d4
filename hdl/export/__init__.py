"""From Amaranth components to Verilog files."""
