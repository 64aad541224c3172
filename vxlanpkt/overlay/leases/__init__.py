"""What the nodes of a network agree on: its configuration, who has which subnet, and the texts of both."""
