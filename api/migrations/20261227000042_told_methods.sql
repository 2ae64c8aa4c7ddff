-- Authorizations whose payment method was kept or let go of: one that is told of again changes nothing, least of all what was removed.
CREATE TABLE payment_methods_told (
    id uuid NOT NULL PRIMARY KEY
);
INSERT INTO payment_methods_told SELECT id FROM payment_methods;
