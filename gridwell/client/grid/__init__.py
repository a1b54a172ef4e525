"""The client's grid kinds: requests, maps and pictures."""
