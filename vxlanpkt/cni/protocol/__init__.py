"""What runtimes and plugins say to each other: the Container Network Interface, 1.1.0 down to 0.3.1."""
