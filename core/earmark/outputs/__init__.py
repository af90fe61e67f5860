"""What a model returned, taken apart: which values are the sounds of which roles."""
