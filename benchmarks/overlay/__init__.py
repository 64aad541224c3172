"""What passes between two namespaces through each kind of overlay, measured by other people's tools."""
