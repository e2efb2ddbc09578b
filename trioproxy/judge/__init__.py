"""May this request pass, and in which form? Plain functions on values: no socket, clock or file."""
