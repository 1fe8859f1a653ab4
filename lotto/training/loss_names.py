"""The names of the losses, for those who must not import torch."""

CROSS_ENTROPY, CROSS_ENTROPY_64, SQUARED_ERROR = "cross_entropy", "cross_entropy_64", "squared_error"
LOSSES = (CROSS_ENTROPY, CROSS_ENTROPY_64, SQUARED_ERROR)
