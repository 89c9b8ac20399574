"""The contract as others can use it: every message, its JSON Schema, one AsyncAPI document, and a judge of recordings.

All of it is made from the models and constants of `kewang.wire`; nothing here decides what travels.
"""
