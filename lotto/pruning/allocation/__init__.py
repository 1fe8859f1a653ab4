"""Allocations: how many weights every layer keeps. One file an idea, with functions from counts to budgets; no tensor, no torch."""
