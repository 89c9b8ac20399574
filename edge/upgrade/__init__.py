"""Upgrade of the agent and the way back.

Versions lie side by side in `HOME/versions`; the link `HOME/current` is what systemd starts. Root asks for a trial in
`HOME/upgrade.json`. The version that is proven guards the new one: it starts it, looks into the outbox whether readings
of every source are acknowledged as stored, and writes its verdict beside the outbox. Only then, at the next start, does
root's `kewang edge upgrade --settle` move the link. Whatever is killed whenever, what starts is the proven version.
"""
