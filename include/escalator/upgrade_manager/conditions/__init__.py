"""Conditions: everything that is in the way of an upgrade or of its way back, one module a family.

Answers: may the campaign begin, and if not, what is in the way and what would mend it?
"""
