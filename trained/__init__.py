"""Networks that are trained elsewhere than on the core: in PyTorch, on the core's own integers."""
