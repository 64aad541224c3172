"""The agent of a node: from its lease to what the kernel and the data paths hold."""
