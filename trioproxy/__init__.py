"""A Docker socket proxy that learns what a client needs and then allows just that."""

__version__ = "0.2.0"
