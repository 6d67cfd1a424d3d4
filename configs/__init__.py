"""Ready-made configurations: `bitlif config list` names them."""
