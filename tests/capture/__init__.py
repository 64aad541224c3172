"""Tests of capture files."""
