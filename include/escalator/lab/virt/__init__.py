"""The hypervisor of a node: guests that are records on disk. Nova sees this package as ``nova.virt.lab``."""
