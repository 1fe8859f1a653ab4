"""Starting points from files, instead of a random draw. One file a kind, with one class that its YAML in ``conf/start`` names."""
