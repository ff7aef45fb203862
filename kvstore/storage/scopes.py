"""What one FieldDataCache knows of each scope that keeps learners' state.

A scope is recognised by what it is for, not by its name: ``Scope(UserScope.ONE, BlockScope.USAGE)`` is not equal to
``Scope.user_state``, and yet the same place.
"""

from typing import Any

from xblock.fields import BlockScope, Scope, UserScope

USER_STATE = (UserScope.ONE, BlockScope.USAGE)
PREFERENCES = (UserScope.ONE, BlockScope.TYPE)
USER_INFO = (UserScope.ONE, BlockScope.ALL)
USER_STATE_SUMMARY = (UserScope.ALL, BlockScope.USAGE)

SUPPORTED = {
    USER_STATE: Scope.user_state.name,
    PREFERENCES: Scope.preferences.name,
    USER_INFO: Scope.user_info.name,
    USER_STATE_SUMMARY: Scope.user_state_summary.name,
}

ScopeKey = tuple[UserScope, BlockScope]


def scope_key(scope: Any) -> ScopeKey:
    """Return whose and of what the scope is; this store keeps it if that is among SUPPORTED."""
    # Scope.children and Scope.parent are sentinels that have neither.
    return getattr(scope, "user", None), getattr(scope, "block", None)
