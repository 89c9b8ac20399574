"""The office's pages: for operators and administrators. Their routes are below `/office`."""
