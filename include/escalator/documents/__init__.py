"""Documents: what people write, read and judged before anything is done: bundles, windows, requests.

Answers: what does this file ask for, and if it cannot be read, what is wrong with it and where?
"""
