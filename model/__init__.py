"""What is computed: the integer contract, its engine, and the float64 twin beside it."""
