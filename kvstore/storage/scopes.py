"""The supported scopes.

A scope is identified by its user and block scope, because ``Scope(UserScope.ONE, BlockScope.USAGE)`` is not equal to
``Scope.user_state``, which has a name.
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
    """Return the key of a scope. Scopes with a key in SUPPORTED are supported."""
    # Scope.children and Scope.parent are sentinels without these attributes.
    return getattr(scope, "user", None), getattr(scope, "block", None)
