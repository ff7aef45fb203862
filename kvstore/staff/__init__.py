"""Text that staff type and read: users, dates, keys in page addresses, and unprintable characters.

Imports kvstore.keys and kvstore.exceptions only. Read text, dates, page_urls, then users.
"""
