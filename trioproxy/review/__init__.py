"""What does a file mean? Never loaded by a process that serves."""
