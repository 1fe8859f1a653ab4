"""Controls: what a ticket is compared with. One file each, with one function from an ``Origin`` to a ``Start``."""
