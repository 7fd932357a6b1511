"""Measuring: named structures in, `Measurement` rows out."""
