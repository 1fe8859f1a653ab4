"""Mirrors of the store: the loggers that ``logger=`` chooses. They copy what is stored and change no number."""
