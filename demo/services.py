"""Services of the host for blocks."""

from django.contrib.auth.models import User
from xblock.reference.user_service import UserService, XBlockUser


def name_of(learner: User) -> str:
    """Return the display name of a learner; never empty."""
    return learner.get_full_name() or learner.get_username()


class LearnerService(UserService):
    """The ``user`` service: only the learner of this request."""

    def __init__(self, learner: User) -> None:
        super().__init__()
        self._learner = learner

    def get_current_user(self) -> XBlockUser:
        """Return the learner in XBlock's form."""
        described = XBlockUser(
            is_current_user=True,
            emails=[self._learner.email] if self._learner.email else [],
            full_name=name_of(self._learner),
        )
        described.opt_attrs["username"] = self._learner.get_username()
        return described
