-- What customers pay with again. The gateway's name for it is sealed under the shop's own key, so that it can be let go of when
-- its owner is forgotten; what is shown of it is sealed under the owner's.
CREATE TABLE payment_methods (
    id         uuid        NOT NULL PRIMARY KEY,
    customer   text        NOT NULL,
    -- A keyed hash of the gateway's name, by which the same one is found again.
    name       bytea       NOT NULL,
    token      bytea       NOT NULL,
    shown      text        NOT NULL,
    saved_at   timestamptz NOT NULL,
    -- Nobody pays with it any more; the row goes when the gateway has let go of it as well.
    removed_at timestamptz,
    -- When the gateway is asked for that.
    next_at    timestamptz,
    attempts   int         NOT NULL DEFAULT 0,
    UNIQUE (customer, name)
);
CREATE INDEX payment_methods_removed ON payment_methods (next_at) WHERE removed_at IS NOT NULL;

-- What the gateway calls customers who keep something there, sealed like its other names.
CREATE TABLE payment_holders (
    customer text  NOT NULL PRIMARY KEY,
    holder   bytea NOT NULL
);
