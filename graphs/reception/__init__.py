"""The front desk: opening hours, messages, calls back."""
