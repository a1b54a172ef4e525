"""The stack that AWS, and the local region, are asked to create."""
