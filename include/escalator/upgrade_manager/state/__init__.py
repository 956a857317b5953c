"""State: what a snapshot says of a cloud: what is free, who stands in for whom, what runs where.

Answers: how much room is there, whom would an outage impact, and which nodes are to be upgraded?
"""
