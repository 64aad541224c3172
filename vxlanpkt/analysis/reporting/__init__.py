"""Reports: what was found in a capture, as one page of HTML; `reports` has what is public."""
