"""The web app for people: login, the technician's pages, the office's pages. Every change is an act."""
