"""The replay checker: judges a trace against the snapshot it began from, sharing no code with who decided.

``check_trace`` plays ``escalator.trace/1`` event by event and finds every rule that was broken. It knows the
model and the standard library only; :mod:`escalator.replay.cli`, the verb, stands outside that.
"""

from escalator.replay.judge import check_trace
from escalator.replay.report import ReplayFacts, ReplayOptions, ReplayReport, Violation, ViolationCode

__all__ = ["ReplayFacts", "ReplayOptions", "ReplayReport", "Violation", "ViolationCode", "check_trace"]
