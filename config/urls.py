"""The learner's pages at the root, the staff's in the admin."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from demo.people import NEWCOMER, PASSWORD, STAFF

# Only load_demo creates these accounts, and it refuses to run without DEBUG.
ACCOUNTS = {"staff": STAFF, "newcomer": NEWCOMER, "password": PASSWORD} if settings.DEBUG else None
urlpatterns = [
    path("admin/", admin.site.urls),
    path("login/", auth.LoginView.as_view(template_name="demo/login.html", extra_context=ACCOUNTS), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("", include("demo.urls")),
]
