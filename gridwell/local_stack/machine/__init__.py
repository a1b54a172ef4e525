"""The first process of a local EC2 instance: a stand-in for cloud-init and systemd.

Standard library only and quick to import, as every boot pays for it.
"""
