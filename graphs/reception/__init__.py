"""The front desk: opening hours, messages, callbacks."""
