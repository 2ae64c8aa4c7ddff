-- A timer used to hold an input of the checkout alone; now it holds a command for any aggregate.
UPDATE timers SET input = json_build_object('checkout', input) WHERE manager = 'checkout';
