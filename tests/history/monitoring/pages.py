"""Requests to the pages for monitoring programs."""

from django.http import HttpResponse
from django.test import Client

TOKEN = "a-token-of-a-monitoring-program"
HEALTH, METRICS = "/history/health/", "/history/metrics/"


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def scrape(path: str) -> HttpResponse:
    """Request a page with the token, as a monitoring program does."""
    return Client().get(path, headers=bearer())
