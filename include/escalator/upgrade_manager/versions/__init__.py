"""Versions: how a release is read and ordered, and what a step between two of them means.

Answers: is this version newer, and may a node go from one to the other? Knows nothing of clouds.
"""
