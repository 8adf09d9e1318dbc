"""Retargeting: human motion frames become a joint reference, and that becomes verified plans."""
