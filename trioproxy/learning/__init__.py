"""What did the client need? Evidence, and the env file that follows from it."""
