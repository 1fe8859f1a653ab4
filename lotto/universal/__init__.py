"""Strong tickets by construction: random networks whose masks alone make them compute a given function, by subset sums."""
