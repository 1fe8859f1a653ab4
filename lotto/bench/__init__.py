"""How fast lotto trains, beside a training loop written by hand: the verb ``bench``."""
