"""FPGA families and boards: synthesis, netlists, bitstreams and area estimates."""
