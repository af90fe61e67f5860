"""What connects earmark to frameworks and trackers: one file for each, named like its package."""
