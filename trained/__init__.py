"""Networks that are trained elsewhere than on the core: in PyTorch, or in a file of NIR."""
