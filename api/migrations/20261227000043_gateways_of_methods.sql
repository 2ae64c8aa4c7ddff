-- Which gateway keeps it: the names of one mean nothing to another, or somebody else. NULL where it was kept before; whoever serves
-- tells the gateways' names apart and fills that in.
ALTER TABLE payment_methods ADD COLUMN gateway text;
CREATE INDEX payment_methods_unnamed ON payment_methods (id) WHERE gateway IS NULL;

-- What each gateway calls customers who keep something there. payment_holders is what older programs read.
CREATE TABLE gateway_holders (
    customer text  NOT NULL,
    gateway  text  NOT NULL,
    holder   bytea NOT NULL,
    PRIMARY KEY (customer, gateway)
);
