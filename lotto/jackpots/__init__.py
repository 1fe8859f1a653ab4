"""Lottery jackpots: masks that are searched in a trained network whose weights stay as they are."""
