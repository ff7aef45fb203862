"""The admin page that previews and makes the repair of an incident. Read forms, preview, then page."""
