"""Schedule: which node goes out next, in a plan and at the door of a running campaign.

Answers: in which order do nodes go, and may this one go now? The same round decides for both.
"""
