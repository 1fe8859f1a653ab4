"""From the table of trained tickets to what a researcher reads: CSV, finding, figures, Markdown and HTML."""
