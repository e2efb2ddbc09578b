"""The commands of `trioproxy`, a module each, imported only when called."""
