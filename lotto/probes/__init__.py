"""Probes: what is read off networks beside their accuracy. One file each, with one function from a ``Subject`` to numbers."""
