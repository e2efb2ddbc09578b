"""Floods: what one client can do to all others, and to the memory of the proxy.

`attack` is the hostile client, `ping` the one that suffers, `engine` answers both, and
`measure` puts them together. Each is a process of its own.
"""
