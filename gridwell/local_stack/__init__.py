"""Everything on one machine: a region whose instances boot, memcached, and the tiers.

`region` is AWS and `machine` is what runs in an instance; the modules here start and end it all.
"""
