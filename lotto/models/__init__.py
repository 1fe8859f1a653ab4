"""The networks, their initialisers, and what of them can be pruned."""
