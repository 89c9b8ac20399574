"""How a box gets its certificate and keeps it: a process of its own, for the agent carries no cryptography."""
