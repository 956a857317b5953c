"""What serves the step migrate: servers on their way, and the plan of a drain as a document.

Answers: which moves are under way, which have ended, and which come next?
"""
