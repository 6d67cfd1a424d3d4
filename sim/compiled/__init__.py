"""Verilog compiled by Verilator into libraries that Python calls."""
