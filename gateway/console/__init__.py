"""The gateway's own web pages: the live page, one page per device, JSON, health."""
