"""Runs looked after: checked, repaired, thinned out."""
