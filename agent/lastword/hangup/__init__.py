"""The end of a call, from the decision to a line that is confirmed to be gone.

``phases`` is the state table, and ``closing`` applies it to one call. ``end_call`` reports the
graph's decision, ``farewell_guard`` what the caller says over the farewell (``closers`` are the
phrases that do not stop it), and ``limit_watch`` the limits that ``limits`` computes. ``hang_up``
takes the line down.
"""
