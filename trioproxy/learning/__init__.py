"""What should the file hold? The env file that follows from evidence."""
