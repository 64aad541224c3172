"""Layers: values, one protocol a file, and none of them knows of another."""
