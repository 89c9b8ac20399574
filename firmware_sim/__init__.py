"""Simulated boards behind real protocols, and whole fleets of devices over MQTT.

The edge can't tell them from real ones.
"""
