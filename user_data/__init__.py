"""What instances are told at boot, and the one way to fill it in."""
