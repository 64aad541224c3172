"""The C kernel on arbitrary bytes: the fuzz target, its corpus, and the Python kernel on the same inputs."""
