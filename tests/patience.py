"""How long the tests wait for what should be there at once."""

PATIENCE = 120.0
"""Real seconds after which it is taken as hung: others may have the machine. No test proves
by it that something is fast."""
