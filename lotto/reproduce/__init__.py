"""A paper's tables and figures: what they say, as rules, beside what is measured here."""
