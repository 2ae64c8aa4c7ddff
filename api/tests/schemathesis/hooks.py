"""What Schemathesis is told of this shop that its description cannot say."""

import json
import os

import schemathesis
from hypothesis import strategies

TOKEN = os.environ.get("DAYBOOK_TOKEN")
# Whoever logs out does so with a session of its own: the run's token has to last.
SPENT = iter(open(os.environ["DAYBOOK_SPENT"]).read().split())
ENDS_SESSIONS = ("/v1/auth/logout", "/v1/auth/logout-all")

# What headers say that are more than letters and digits: what was seen, what there is not, and what is of another shop.
OTHERS = "76ff85c2-4bbf-46bc-9753-ba85ccc02a27:61"
POSITIONS = [os.environ["DAYBOOK_POSITION"], OTHERS]
schemathesis.openapi.format("daybook-position", strategies.sampled_from(POSITIONS))
# Mostly what fits whatever the version is: there is more to see behind it.
TAGS = [*['*'] * 5, '"1"', '"2", "3.c0ffee"', 'W/"1"']
schemathesis.openapi.format("entity-tags", strategies.sampled_from(TAGS))

# Moments that the log has come to, as positions, days and times, before there was anything and after.
MOMENTS = ["1", "5", "2001-01-01", "2001-01-01T00:00:00Z", os.environ["DAYBOOK_POSITION"]]
schemathesis.openapi.format("daybook-moment", strategies.sampled_from(MOMENTS))

# A key that comes again with another body is refused, so each request has one of its own.
schemathesis.openapi.format("idempotency-key", strategies.uuids(version=4).map(str))

# What is a part of something is asked for there: a shipment of its order, the price of a product's own SKU.
PARTS = json.loads(os.environ["DAYBOOK_PARTS"])

if TOKEN:

    @schemathesis.auth()
    class Bearer:
        def get(self, case, ctx):
            return TOKEN

        def set(self, case, token, ctx):
            if case.operation.path in ENDS_SESSIONS:
                token = next(SPENT)
            case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.hook
def map_path_parameters(ctx, parameters):
    if not parameters:
        return parameters
    parameters = dict(parameters)
    path = ctx.operation.path if ctx.operation else ""
    for name in ("shipment", "edit", "return") + (("sku",) if path.startswith("/v1/products/") else ()):
        if parameters.get(name) in PARTS:
            parameters["id"] = PARTS[parameters[name]]
    if "/reservations/" in path and parameters.get("id") in PARTS:
        parameters["sku"] = PARTS[parameters["id"]]
    return parameters


@schemathesis.hook
def before_call(ctx, case, kwargs):
    # What another shop has seen is waited for as anything is, in case this is about to become that shop: not here.
    if (case.headers or {}).get("Daybook-Min-Position") == OTHERS:
        case.headers["Prefer"] = "wait=0"


@schemathesis.hook
def filter_case(ctx, case):
    # Lines without an end are no answer that could be waited for.
    query = case.query or {}
    return not (case.operation.path == "/v1/events" and "follow" in query)


@schemathesis.serializer("application/x-ndjson")
def as_it_is(ctx, value):
    # The lines are described as one text.
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()
