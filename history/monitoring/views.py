"""The pages of ``history.urls``. They are never cached, and answer GET and HEAD only."""

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from history.monitoring.access import View, for_monitors
from history.monitoring.openmetrics import CONTENT_TYPE, exposition
from history.monitoring.report import as_json, current_health, metrics


def monitoring_page(view: View) -> View:
    """Decorate a view with the access and the headers of a monitoring page.

    The page opens no transaction with ATOMIC_REQUESTS, so that it is answered while the database of the state is down,
    and LoginRequiredMiddleware does not redirect a program that has the token.
    """
    page: View = never_cache(require_safe(for_monitors(view)))
    return transaction.non_atomic_requests(login_not_required(page))


@monitoring_page
def health(request: HttpRequest) -> HttpResponse:
    """Answer with the health as JSON: status 200 if healthy, otherwise 503."""
    values = as_json(current_health())
    return JsonResponse(values, status=200 if values["healthy"] else 503)


@monitoring_page
def metrics_text(request: HttpRequest) -> HttpResponse:
    """Answer with the health as OpenMetrics text. The status is 200 also if unhealthy, so that it is scraped."""
    return HttpResponse(exposition(metrics(current_health())), content_type=CONTENT_TYPE)
