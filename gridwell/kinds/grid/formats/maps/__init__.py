"""Writers of potential maps."""
