"""Debian machines for the lab's nodes: systemd-nspawn boots them, apt brings them their packages."""
