"""Escalator: upgrade the compute nodes of an OpenStack cloud, node by node."""
