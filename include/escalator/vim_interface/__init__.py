"""The VIM Interface, one of the four boxes: which servers are a VNF's, and what its manager is told.

``registry`` knows the HA groups. Nothing else is here yet: it is the place for negotiation with VNFMs, for
notices to the owners of servers, for the proof of a switchover, and for probes of service addresses.
"""
