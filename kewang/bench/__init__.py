"""The measuring commands: they start the real programs and real parts, hurt them, and score what arrived.

Nothing that runs in the field imports this package.
"""
