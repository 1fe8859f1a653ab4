"""What ``report.html`` is made of: builders of its data, its frame, its style and its script."""
