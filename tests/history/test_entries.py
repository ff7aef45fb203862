"""The tuple that an entry is written from has the columns of both tables."""

from django.test import SimpleTestCase

from history.entries import EntryValues
from history.models import PendingHistory, StudentModuleHistory


class Columns(SimpleTestCase):
    def test_they_are_those_of_both_models(self):
        for model in (StudentModuleHistory, PendingHistory):
            columns = {field.attname for field in model._meta.concrete_fields if not field.primary_key}
            self.assertEqual(set(EntryValues._fields), columns)
