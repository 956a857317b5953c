"""What serves the step migrate: the drain of a node, and its servers on their way.

Answers: which moves are under way, which have ended, and which come next?
"""
