"""The HTTP addresses, one file per reader."""
