"""Drain: how one node is emptied: where its servers go, which must not move, how long it takes.

Answers: does every server of this node have a place elsewhere, and in which order do they leave?
"""
