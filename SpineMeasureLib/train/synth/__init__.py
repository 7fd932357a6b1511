"""Synthetic MRI of any part of the spine, with labels known by construction."""
