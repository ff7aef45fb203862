"""Five cases for staff to investigate, and the page that leads through them.

Each module about a case causes it once: a second call changes nothing. Read term, the cases, then guide.
"""
