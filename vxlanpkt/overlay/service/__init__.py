"""What surrounds an agent that runs: its files, its control socket, its metrics, and what it left when it died."""
