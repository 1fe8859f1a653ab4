"""lotto: a research framework for the Lottery Ticket Hypothesis."""
