"""The lab: real OpenStack services and compute nodes on loopback, for the demonstration and the tests."""
