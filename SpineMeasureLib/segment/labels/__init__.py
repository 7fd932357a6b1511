"""Existing label maps: what their values, segment names and disc points mean."""
