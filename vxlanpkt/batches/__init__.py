"""Many frames at once, and what comes of them, as columns over one buffer."""
