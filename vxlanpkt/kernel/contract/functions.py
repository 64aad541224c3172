"""The names that every kernel has, by the modules of the kernel that they are in; all but two are functions."""

from __future__ import annotations

from collections.abc import Mapping

FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "altering": ("alter",),
    "checksum": ("internet_checksum", "ones_complement_sum", "transport_checksum"),
    "columns": (
        "add_name", "address_room", "address_text", "derived", "hold_names", "known", "mac_bytes", "mac_text", "names",
        "names_room", "numbers", "pick",
    ),
    "counting": ("count_records", "hold_counts"),
    "decapsulation": ("as_record", "decap", "decap_one", "hold_rules", "locate_inner"),
    "encapsulation": ("clears_df", "encap", "encap_one", "hold_index", "hold_recipe", "hold_table", "total_length"),
    "filtering": ("hold_program", "select"),
    "frames": ("hold_frames",),
    "grouping": ("bucket", "entries", "find_groups", "group", "hold_counted", "left_out", "move_groups", "new_groups"),
    "hashing": ("flow_hash",),
    "memory": ("address_of", "new_buffer", "view"),
    "records": ("add_interface", "hold_section", "read_records"),
    "releases": ("ENDS_STREAMS", "RELEASES", "callback", "take_released"),
    "scanning": ("hold_ports", "scan", "walk"),
    "sightings": ("digest", "sight", "traits"),
    "tables": (
        "count_prefixes", "drop_prefixes", "find_prefix", "list_prefixes", "look_up", "look_up_macs", "move_prefixes",
        "new_map", "prefix_of_none", "put_prefixes", "refresh_macs", "settle",
    ),
    "words": (
        "count_words", "move_words", "new_words", "number_addresses", "number_macs", "words_room", "words_text",
    ),
    "writing": ("choose_rows", "hold_packets", "hold_target", "put_records", "sort_rows"),
}  # fmt: skip
