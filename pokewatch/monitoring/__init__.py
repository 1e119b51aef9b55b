"""Watching what runs, and telling people."""
