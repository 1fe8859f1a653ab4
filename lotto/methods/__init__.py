"""Methods: which stages find a ticket. One file each, with one function from a ``Recipe`` to the rows of the results table."""
