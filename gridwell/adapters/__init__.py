"""The only code that touches AWS, memcached and the clock; each module keeps one port's promises."""
