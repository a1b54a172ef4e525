"""`gridwell doctor`: what is reachable, which settings are in force, and what still costs money."""
