"""The end of a call: from the graph's decision to a line that is seen to be gone.

``end_call`` waits until the farewell has been heard; ``hang_up`` takes the line down.
"""
