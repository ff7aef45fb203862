"""``manage.py load_demo``: a class of learners with work on the sample course."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse
from tqdm import tqdm

from demo.classwork import Learner
from demo.lost_answer import REASON, lose_an_answer
from demo.people import Person, people
from history.api import change_context
from kvstore.models import StudentModule

PASSWORD = "demo"  # noqa: S105 - published on purpose; the command refuses to run outside DEBUG
STAFF = "staff"
NEWCOMER = Person("Noa", "Rivera", "newcomer")
SITE = "http://127.0.0.1:8000"


def positive(text: str) -> int:
    """Read a whole number above zero."""
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


class Command(BaseCommand):
    """Safe to repeat: existing people and work do not change."""

    help = "Creates a staff account, a newcomer, and a class of learners with their work; one of them loses an answer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the size of the class, and the seed of its answers."""
        parser.add_argument("--learners", type=positive, default=30, help="how many (default: 30)")
        parser.add_argument("--seed", type=int, default=2026, help="another seed, other answers")
        parser.add_argument("--site", default=SITE, help="the address to print (default: %(default)s)")

    def handle(self, *args: Any, learners: int, seed: int, site: str, verbosity: int, **options: Any) -> None:
        """Create the accounts, let every learner work, and print the addresses."""
        if not settings.DEBUG:
            raise CommandError("Demo accounts have a known password. Set DEBUG=1 on a machine of your own.")
        password = make_password(PASSWORD)
        staff = _staff_account(password)
        _account(NEWCOMER, password)
        users = []
        for person in tqdm(
            people(learners), total=learners, desc="Learners at work", unit="learner", disable=not verbosity
        ):
            user = _account(person, password)
            with change_context(actor=user, reason="load_demo"):
                Learner(user, seed).work()
            users.append(user)
        lost = lose_an_answer(users, staff)
        if verbosity:
            self.stdout.write(_where_to_look(site, next(people(1))) + (_what_to_find(site, lost) if lost else ""))


def _staff_account(password: str) -> User:
    user, _ = User.objects.get_or_create(
        username=STAFF,
        defaults={
            "password": password,
            "first_name": "Robin",
            "last_name": "Teacher",
            "is_staff": True,
            "is_superuser": True,
        },
    )
    return user


def _account(person: Person, password: str) -> User:
    user, _ = User.objects.get_or_create(
        username=person.username,
        defaults={"password": password, "first_name": person.given, "last_name": person.family},
    )
    return user


def _where_to_look(site: str, first: Person) -> str:
    return f"""
Learner page  {site}/        as {NEWCOMER.username} (no work yet) or {first.username} (with work)
Admin         {site}/admin/  as {STAFF}
Password      {PASSWORD}, for all of them"""


def _what_to_find(site: str, lost: StudentModule) -> str:
    learner, address = lost.student, reverse("admin:xblock_history_timeline", args=[lost.pk])
    return f"""

{learner.get_full_name()} ({learner.get_username()}) reports a lost answer. A {REASON} removed it:
Timeline      {site}{address}  as {STAFF}
              or search for learner:{learner.get_username()} in the admin's history, and restore the answer"""
