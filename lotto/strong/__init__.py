"""Strong tickets by search: masks of random networks that are accurate though no weight is ever trained."""
