"""What serves every step: what it is given, how it is run and recorded, how it may end.

Answers: what may a step use, and what becomes of a node when its step goes wrong?
"""
