"""May this request pass, and why? Plain functions on values: no socket, clock or file."""
