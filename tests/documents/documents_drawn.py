"""JSON documents of any form, and mutilated ones of a known form."""

from __future__ import annotations

from hypothesis import strategies as st

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def mutilated(document: dict[str, object]) -> st.SearchStrategy[dict[str, object]]:
    """Replace, remove or add one key of a document."""
    keys = st.sampled_from(sorted(document)) | st.text(max_size=8)
    changed = st.builds(lambda key, value: {**document, key: value}, keys, json_values)
    shorter = st.sampled_from(sorted(document)).map(
        lambda gone: {key: value for key, value in document.items() if key != gone}
    )
    return changed | shorter
