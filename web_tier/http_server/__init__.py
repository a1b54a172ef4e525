"""The door: requests are received whole, within bounds, before a thread serves them."""
