"""The end of a call: from anybody's decision to a line that is seen to be gone, once.

``phases`` is the table, ``closing`` one call's way through it. ``end_call`` brings the graph's
decision there and ``closers`` the caller's voice over the farewell; ``limit_watch`` brings what
``limits`` say; ``hang_up`` takes the line down.
"""
