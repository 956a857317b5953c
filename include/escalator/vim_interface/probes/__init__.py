"""Probes of service addresses: how long a service was away while a node of its VNF was worked on."""
