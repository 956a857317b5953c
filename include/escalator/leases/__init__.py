"""The leases of a cloud: whose each is, whether its run still lives, and what can be done about it."""
