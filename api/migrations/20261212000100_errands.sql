-- What is to be carried to somebody outside, or was brought from there, each once. Nothing personal stands in it.
CREATE TABLE errands (
    id         uuid        NOT NULL PRIMARY KEY,
    channel    text        NOT NULL CHECK (channel IN ('mail', 'sms', 'webhook', 'carrier')),
    -- Whose failures hold up nobody else: an endpoint's id; empty where there is one receiver.
    lane       text        NOT NULL,
    kind       text        NOT NULL,
    -- What the receiver knows it by.
    message    uuid        NOT NULL,
    -- The event that it tells of.
    position   bigint,
    event_id   uuid,
    nth        int,
    payload    text,
    state      text        NOT NULL CHECK (state IN ('waiting', 'done', 'void', 'dead')),
    attempts   int         NOT NULL DEFAULT 0,
    -- When it is carried, and while somebody carries it: when it is carried again if nothing is heard.
    next_at    timestamptz NOT NULL,
    reason     text,
    created_at timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE INDEX errands_due ON errands (channel, lane, next_at) WHERE state = 'waiting';
CREATE INDEX errands_listed ON errands (channel, created_at, id);
CREATE INDEX errands_of_lane ON errands (lane, created_at, id) WHERE lane <> '';
CREATE INDEX errands_dead ON errands (channel, created_at, id) WHERE state = 'dead';
CREATE INDEX errands_ended ON errands (ended_at) WHERE ended_at IS NOT NULL;

-- Who is told by webhooks.
CREATE TABLE webhook_endpoints (
    id              uuid        NOT NULL PRIMARY KEY,
    url             text        NOT NULL,
    description     text,
    -- What it is told; everything when empty.
    types           text[]      NOT NULL,
    -- Sealed under `webhook:<id>`.
    secret          text        NOT NULL,
    previous_secret text,
    -- Until when the previous secret signs as well.
    previous_until  timestamptz,
    created_at      timestamptz NOT NULL,
    -- Since when every delivery has failed.
    failing_since   timestamptz,
    disabled_at     timestamptz,
    -- Why it was disabled.
    note            text
);

-- The parcels that carriers may tell of.
CREATE TABLE parcels (
    -- The carrier's name, reduced to lower case letters, digits and hyphens.
    carrier     text   NOT NULL,
    tracking    text   NOT NULL,
    order_id    text   NOT NULL,
    shipment_id text   NOT NULL,
    -- When that was recorded, in microseconds since the epoch: when a carrier uses a number again, the newer one has it.
    since_us    bigint NOT NULL,
    PRIMARY KEY (carrier, tracking)
);
CREATE INDEX parcels_by_shipment ON parcels (order_id, shipment_id);
