"""The admin pages about one block of one learner: timeline, version, comparison and restore.

Imports history.admin.permissions, exports and unavailable, and the packages below. Read pages, version_summary, the
pages, then urls.
"""
