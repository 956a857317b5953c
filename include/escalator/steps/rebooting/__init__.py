"""Reboots of nodes: ordered once, proved by another boot, waited for until a deadline."""
