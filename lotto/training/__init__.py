"""Training tickets. Nothing here is imported before something is to be trained, but for the arithmetic of learning rates."""
