"""A whole AWS region on one machine: moto made faithful, an EC2 host and memcached."""
