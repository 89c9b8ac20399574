"""How the edge talks to a camera: one way to connect, to log in, to ask by HTTP, and to say why it failed."""
