"""Tests of the admin: permissions, admin sites and user models of a project, hostile states.

`block` and `lists` test the pages.
"""
