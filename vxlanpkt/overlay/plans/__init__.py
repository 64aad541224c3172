"""What a node's kernel should hold, and the steps that lead there: pure functions of values."""
