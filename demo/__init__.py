"""The demonstration of `make run`; nothing else imports it.

`__main__` tells the story, `standin` and `client` stand in for an Engine and the docker
command where a machine has none. They know what the demonstration uses, and no more.
"""
