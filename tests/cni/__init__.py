"""Tests of the CNI plugins: called as runtimes call them, with delegates made for them and with the CNI project's."""
