"""Feasibility: whether all nodes can be emptied one after the other, and what would make it possible.

Answers: in which order does it work out, how many spare nodes are missing, and what would do instead?
"""
