"""AWS on one machine: moto with the real thing's manners, and the host of its EC2 instances."""
