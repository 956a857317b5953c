"""Blocking code beside the triggerer's event loop: all triggers of all campaigns share that one loop.

What takes time, imports and first connections too, is done in such a function. A trigger's module imports at
its head only what costs the loop nothing.
"""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async


def run_in_thread(function: Any) -> Any:
    """Make a coroutine function of blocking code; the triggerer's connection look-ups need asgiref's way."""
    return sync_to_async(function, thread_sensitive=False)
