"""Text that others wrote: read within bounds, matched within bounds, fit to be printed."""
