"""The sections of a request, each read and checked. Imports no torch."""
