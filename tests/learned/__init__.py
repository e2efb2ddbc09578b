"""The learned profiles of real clients: made by `make learned`, kept true by tests.

Read in this order: `profiles` (which clients, at which version, doing what), `sessions/`
(what each does), `install` (how a client gets here), `learning` (a session through the
proxy), `pages` (the tables of learned/README.md and docs/clients.md).
"""
