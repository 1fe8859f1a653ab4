"""Sweeps: many points of one question, planned as one graph and trained in one go."""
