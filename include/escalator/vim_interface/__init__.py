"""The VIM Interface, one of the four boxes: which servers are a VNF's, and what its manager is told.

``registry`` knows the HA groups. Nothing else is here yet: this is the place for negotiation with VNFMs, notices
to the owners of servers, the proof that a switchover took effect, and probes of service addresses.
"""
