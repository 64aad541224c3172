"""Filters: their language, their programs, and what they select."""
