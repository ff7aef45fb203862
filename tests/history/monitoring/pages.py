"""Requests to the pages for monitoring programs."""

from typing import Any

from django.http import HttpResponse
from django.test import Client
from prometheus_client.openmetrics.parser import text_string_to_metric_families

TOKEN = "a-token-of-a-monitoring-program"
HEALTH, METRICS = "/history/health/", "/history/metrics/"
BREAKER = "xblock_history_breaker"


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def scrape(path: str) -> HttpResponse:
    """Request a page with the token, as a monitoring program does."""
    return Client().get(path, headers=bearer())


def samples(response: HttpResponse) -> dict[str, Any]:
    """Parse a page; return the value of each sample by name, and the name of the state that the breaker is in."""
    found: dict[str, Any] = {}
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            if sample.name != BREAKER:
                found[sample.name.removeprefix("xblock_history_")] = sample.value
            elif sample.value:
                found["breaker"] = sample.labels[BREAKER]
    return found
