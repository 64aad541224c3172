"""Addresses for containers, given out of ranges and kept in a directory as the plugin `host-local` keeps them."""
