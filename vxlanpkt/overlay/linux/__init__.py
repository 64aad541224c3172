"""The kernel's side, by rtnetlink: read, programmed and watched."""
