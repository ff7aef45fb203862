"""The names of the users on a page, in one query: a join would leave the order of the index to the planner."""

from collections.abc import Collection, Mapping

from django.contrib.auth import get_user_model
from django.db import router
from django.utils.translation import gettext as _


def usernames_for(ids: Collection[int]) -> dict[int, str]:
    """Return the names of users by id, in one query; users that are gone are not in it."""
    if not ids:
        return {}
    model = get_user_model()
    users = model._base_manager.using(router.db_for_read(model))
    return dict(users.filter(pk__in=ids).values_list("pk", model.USERNAME_FIELD))


def display_name(user_id: int, named: Mapping[int, str]) -> str:
    """Return a user's name out of those found, or what to call one who is gone."""
    return named.get(user_id) or _("user %(id)s, deleted") % {"id": user_id}
