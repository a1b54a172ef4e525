"""The only code that touches AWS, memcached and the clock: a module keeps one port's promises."""
