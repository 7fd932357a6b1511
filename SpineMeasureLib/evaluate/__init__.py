"""Judging: agreement of masks and numbers with experts, cross-validation, and the page that reports them."""
