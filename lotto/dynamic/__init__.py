"""Masks that move while a network trains: SET, RigL, ITOP and gradual magnitude pruning, as regimens of a train stage."""
