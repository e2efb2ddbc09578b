"""How the bytes move. The story of a request is told in `connection.py`."""
