"""Data sets: what is known of them without reading them (``facts``), and the batches every replicate trains on."""
