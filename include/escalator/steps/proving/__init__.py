"""Proofs of a node that need more than one look at it."""
