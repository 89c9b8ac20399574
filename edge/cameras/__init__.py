"""Cameras as sources: what they deliver, what their picture is worth, what their clock says. Only numbers leave."""
