"""The index of the admin, with a link to the cases."""

from django.contrib import admin

admin.site.index_template = "demo/admin_index.html"
