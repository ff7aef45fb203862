"""What a block may ask the host for, apart from its fields."""

from django.contrib.auth.models import User
from xblock.reference.user_service import UserService, XBlockUser


def name_of(learner: User) -> str:
    """Return the name to greet a learner by; never empty."""
    return learner.get_full_name() or learner.get_username()


class LearnerService(UserService):
    """The ``user`` service: the learner of this request and nobody else."""

    def __init__(self, learner: User) -> None:
        super().__init__()
        self._learner = learner

    def get_current_user(self) -> XBlockUser:
        """Return who is learning, as XBlock describes people."""
        described = XBlockUser(
            is_current_user=True,
            emails=[self._learner.email] if self._learner.email else [],
            full_name=name_of(self._learner),
        )
        described.opt_attrs["username"] = self._learner.get_username()
        return described
