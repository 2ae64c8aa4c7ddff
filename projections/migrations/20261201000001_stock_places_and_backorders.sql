-- Until now all stock lay in one place, and nothing was promised that was not there.
ALTER TABLE stock
    ADD COLUMN backordered   bigint NOT NULL DEFAULT 0,
    ADD COLUMN locations     json NOT NULL DEFAULT '{}',
    ADD COLUMN reorder_point bigint,
    ADD COLUMN policy        json NOT NULL DEFAULT '"deny"';

UPDATE stock SET locations = json_build_object('main', on_hand) WHERE on_hand <> 0;

ALTER TABLE reservations
    ADD COLUMN short          bigint NOT NULL DEFAULT 0,
    ADD COLUMN promised_at_ms bigint,
    ADD COLUMN committed      boolean NOT NULL DEFAULT false;

-- What is available depends on the time of asking: holds whose time is over do not count.
CREATE INDEX reservations_expiring ON reservations (sku, expires_at_ms) WHERE expires_at_ms IS NOT NULL;

ALTER TABLE payments ADD COLUMN released bigint NOT NULL DEFAULT 0;

-- Nothing had been captured of what was voided until now.
UPDATE payments SET released = amount WHERE status = 'voided';
