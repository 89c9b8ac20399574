"""What people see everywhere alike: words in Indonesian and English, the palette, the base page.

No logic, no queries.
"""
