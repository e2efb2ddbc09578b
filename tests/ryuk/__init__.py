"""A stand-in for testcontainers' reaper, and an image of it."""
