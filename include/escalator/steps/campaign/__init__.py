"""The tasks around the nodes of a campaign: check its conditions, prepare the nodes, conclude.

Answers: may the campaign begin, is everything laid down, and what came of it?
"""
