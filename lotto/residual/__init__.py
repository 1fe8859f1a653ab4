"""Residual blocks as what is pruned at once: a network without one of them is a shallower network of the same family."""
