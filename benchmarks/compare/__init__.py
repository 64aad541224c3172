"""A change beside what it changes: the same jobs, by turns, on both versions of the library."""
