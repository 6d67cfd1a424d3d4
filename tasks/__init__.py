"""What is learned: tasks, encoders, and the windows that they are made of."""
