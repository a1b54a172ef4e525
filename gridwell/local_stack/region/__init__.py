"""AWS on one machine: moto, patched where it differs from AWS, and the host of EC2 instances."""
