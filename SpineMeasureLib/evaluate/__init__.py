"""Evaluation: labelled sets, agreement of masks and values with experts, and the tables and page that report it."""
