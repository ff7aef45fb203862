"""The page of a learner: the courses, and all blocks of a course, now or at a given time.

Imports ``history.admin.block.pages``. Read ``entries``, ``blocks``, ``courses``, ``page``, ``urls``, ``user_link``.
"""
