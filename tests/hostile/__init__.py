"""Bytes that were made to break parsers, and good ones with everything done to them that can go wrong."""
