"""Ansible on the worker: its command lines, its way to a node, its run, and the lock of the node."""
