"""How a process of ours behaves: it loads its settings, tells time, backs off and stops, the same way in every program.

Imports none of ours, no broker and no database.
"""
