"""The VIM Interface, one of the four boxes: which servers are a VNF's, and what its manager is told.

``registry`` knows the HA groups and the managers of VNFs, ``wire`` what is said to them and in which dialect,
``delivery`` brings it to them.
"""
