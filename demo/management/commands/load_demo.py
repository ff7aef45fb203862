"""``manage.py load_demo``: a class of learners with work on the sample course, and five cases for staff."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse
from tqdm import tqdm

from demo.cases.deleted_row import delete_a_row
from demo.cases.harmful_job import harm_many
from demo.cases.lost_field import lose_a_field
from demo.cases.outage import work_during_an_outage
from demo.cases.term import Term
from demo.cases.wrong_grade import lower_a_grade
from demo.classwork import Learner
from demo.clock import first_day
from demo.people import INSTRUCTOR, JOBS, NEWCOMER, PASSWORD, STAFF, Person, people

SITE = "http://127.0.0.1:8000"
LEARNERS = 72
"""so many that a job can harm 40 of them in one block"""
CASES = (lose_a_field, lower_a_grade, delete_a_row, harm_many, work_during_an_outage)
"""in this order, because each avoids the learners of the cases before it"""


def positive(text: str) -> int:
    """Read a whole number above zero."""
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


class Command(BaseCommand):
    """Safe to repeat: existing people, work and cases do not change."""

    help = "Creates a staff account, a newcomer, a class with weeks of work, and five cases for staff to investigate."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the size of the class, and the seed of its answers."""
        parser.add_argument("--learners", type=positive, default=LEARNERS, help="how many (default: %(default)s)")
        parser.add_argument("--seed", type=int, default=2026, help="another seed, other answers")
        parser.add_argument("--site", default=SITE, help="the address to print (default: %(default)s)")

    def handle(self, *args: Any, learners: int, seed: int, site: str, verbosity: int, **options: Any) -> None:
        """Create the accounts, let every learner work, cause the cases, and print the addresses."""
        if not settings.DEBUG:
            raise CommandError("Demo accounts have a known password. Set DEBUG=1 on a machine of your own.")
        password = make_password(PASSWORD)
        _account(STAFF, password, is_staff=True, is_superuser=True)
        _account(NEWCOMER, password)
        term = Term([], seed, first_day(), _account(INSTRUCTOR, password), _account(JOBS, password))
        progress = tqdm(
            people(learners), total=learners, desc="Learners at work", unit="learner", disable=not verbosity
        )
        term = term.of(_at_work(progress, password, term))
        for cause in CASES:
            cause(term)
        if verbosity:
            self.stdout.write(_where_to_look(site, next(people(1))))


def _at_work(class_: Iterable[Person], password: str, term: Term) -> list[User]:
    users = []
    for person in class_:
        user = _account(person, password)
        Learner(user, term.seed, term.first_day).work()
        users.append(user)
    return users


def _account(person: Person, password: str, **permissions: bool) -> User:
    user, _ = User.objects.get_or_create(
        username=person.username,
        defaults={
            "password": password,
            "email": person.email,
            "first_name": person.given,
            "last_name": person.family,
            **permissions,
        },
    )
    return user


def _where_to_look(site: str, first: Person) -> str:
    return f"""
Cases         {site}{reverse("cases")}  as {STAFF.username}: five questions of learners, and where the answers are
Admin         {site}/admin/  as {STAFF.username}
Learner page  {site}/        as {NEWCOMER.username} (no work yet) or {first.username} (with work)
Password      {PASSWORD}, for all of them"""
