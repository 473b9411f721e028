"""Whole jobs behind one command each."""
