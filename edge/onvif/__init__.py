"""ONVIF: what a camera tells of itself, as corroboration. Never the only evidence."""

from edge.onvif.discovery import Found, discover
from edge.onvif.facts import DEVICE_PATH, Endpoint, OnvifFacts, Profile, Recording
from edge.onvif.look import look

__all__ = ["DEVICE_PATH", "Endpoint", "Found", "OnvifFacts", "Profile", "Recording", "discover", "look"]
