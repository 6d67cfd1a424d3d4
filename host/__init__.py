"""What runs beside a board: frames, requests and the register driver. No Amaranth is needed."""
