"""What does the Engine have? Routes, the fields of bodies, and one reading of both."""
