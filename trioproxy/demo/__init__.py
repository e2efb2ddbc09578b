"""The stand-in Engine and client of `make run`. Nothing imports it."""
