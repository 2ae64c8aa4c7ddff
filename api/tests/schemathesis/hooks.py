"""What Schemathesis is told of this shop that its description cannot say."""

import os

import schemathesis

SPENT = iter(open(os.environ["DAYBOOK_SPENT"]).read().split())
ENDS_SESSIONS = ("/v1/auth/logout", "/v1/auth/logout-all", "/v1/me/password")


@schemathesis.hook
def before_call(ctx, case, kwargs):
    # Whoever logs out here does so with a session of its own: the run's token has to last.
    headers = case.headers or {}
    if case.operation.path in ENDS_SESSIONS and "Authorization" in headers:
        case.headers["Authorization"] = f"Bearer {next(SPENT)}"


@schemathesis.hook
def filter_case(ctx, case):
    # Lines without an end are no answer that could be waited for.
    query = case.query or {}
    return not (case.operation.path == "/v1/events" and "follow" in query)
