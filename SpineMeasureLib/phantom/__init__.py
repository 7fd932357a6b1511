"""Spines of closed-form shape, whose every measurement is known: for the bundled sample and for tests."""
