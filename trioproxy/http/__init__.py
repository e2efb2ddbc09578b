"""What do these bytes say? Heads and framing, without a socket."""
