"""The VIM Interface, one of the four boxes: what Escalator knows of VNFs and says to their managers.

Here is the registry of HA groups. Negotiation with VNFMs, notices to the owners of servers, the proof that a
switchover took effect, and probes of service addresses belong here too.
"""
