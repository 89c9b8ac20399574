"""Telling people: which notices are sent (budget), how they read (texts), to whom (routes), and that they arrive."""
