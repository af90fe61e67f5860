"""The version of earmark."""

__version__ = "0.1.0"
