Feature: Units that are sold before they are there

  Background:
    Given stock of "MUG":
      | Receive   | {quantity: 2}                                                              |
      | SetPolicy | {policy: backorder {limit: 4, promised_at: 2026-02-01T00:00:00Z}} |

  Scenario: Backorders are a decision: without it what is not there is not sold
    Given stock of "POT": Receive {quantity: 2}
    When stock of "POT": Reserve {reservation: O1, quantity: 3}
    Then refused: inventory.insufficient {requested: 3, available: 2}
    When stock of "POT": SetPolicy {policy: backorder {limit: 4, promised_at: 2026-02-01T00:00:00Z}}
    Then PolicySet {policy: backorder {limit: 4, promised_at: 2026-02-01T00:00:00Z}}
    When stock of "POT": SetPolicy {policy: backorder {limit: 4, promised_at: 2026-02-01T00:00:00Z}}
    Then nothing happens
    When stock of "POT": Reserve {reservation: O1, quantity: 3}
    Then Backordered {reservation: O1, quantity: 3, short: 1, promised_at: 2026-02-01T00:00:00Z}
    And the stock "POT" reads {on_hand: 2, reserved: 2, backordered: 1, available: 0, policy: {kind: backorder, limit: 4, ..}, ..}

  Scenario: No more is promised than the limit, all buyers together
    Given stock of "MUG": Reserve {reservation: O1, quantity: 5}
    When stock of "MUG": Reserve {reservation: O2, quantity: 2}
    Then refused: inventory.insufficient {requested: 2, available: 1}
    When stock of "MUG": Reserve {reservation: O2, quantity: 1}
    Then Backordered {reservation: O2, quantity: 1, short: 1, promised_at: 2026-02-01T00:00:00Z}

  Scenario: Who wants only what is there gets no promise instead
    When stock of "MUG": Reserve {reservation: O1, quantity: 3, in_stock: true}
    Then refused: inventory.insufficient {requested: 3, available: 2}
    When stock of "MUG": Reserve {reservation: O1, quantity: 2, in_stock: true}
    Then Reserved {reservation: O1, quantity: 2}

  Scenario: When goods arrive, whoever came first is served first
    Given stock of "MUG":
      | Reserve | {reservation: O2, quantity: 4} |
      | Reserve | {reservation: O1, quantity: 2} |
    When stock of "MUG": Receive {quantity: 3}
    Then stock of "MUG":
      | Received        | {location: main, quantity: 3}  |
      | BackorderFilled | {reservation: O2, quantity: 2} |
      | BackorderFilled | {reservation: O1, quantity: 1} |

  Scenario Outline: Whoever waits is served with whatever turns up, not only with deliveries
    Given stock of "MUG": Reserve {reservation: O1, quantity: 3}
    When stock of "MUG": <command>
    Then <event>
    And BackorderFilled {reservation: O1, quantity: 1}

    Examples:
      | command                          | event                                                |
      | Adjust {delta: 1, reason: found} | Adjusted {location: main, delta: 1, reason: found} |
      | Count {counted: 3}               | Counted {location: main, was: 2, counted: 3}       |

  Scenario: Units that come free go to those who wait, not to whoever comes next
    Given stock of "MUG":
      | Reserve | {reservation: O1, quantity: 2} |
      | Reserve | {reservation: O2, quantity: 1} |
    When stock of "MUG": Release {reservation: O1}
    Then stock of "MUG":
      | Released        | {reservation: O1, quantity: 2, short: 0} |
      | BackorderFilled | {reservation: O2, quantity: 1}           |
    When stock of "MUG": Reserve {reservation: O3, quantity: 2, in_stock: true}
    Then refused: inventory.insufficient {requested: 2, available: 1}

  Scenario: A backorder that was paid waits beyond its time, and leaves by itself when all of it is there
    Given stock of "MUG": Reserve {reservation: O1, quantity: 4, expires_at: now + 15 minutes}
    When stock of "MUG": Allocate {reservation: O1}
    Then Committed {reservation: O1}
    When stock of "MUG": Allocate {reservation: O1}
    Then nothing happens
    When 4 weeks pass
    Then nothing happens
    When stock of "MUG": Receive {quantity: 1}
    Then stock of "MUG":
      | Received        | {location: main, quantity: 1}  |
      | BackorderFilled | {reservation: O1, quantity: 1} |
    When stock of "MUG": Receive {quantity: 5}
    Then stock of "MUG":
      | Received        | {location: main, quantity: 5}                                                   |
      | BackorderFilled | {reservation: O1, quantity: 1}                                                  |
      | Allocated       | {reservation: O1, quantity: 4, from: [{location: main, quantity: 4}]} |
    And the stock "MUG" reads {on_hand: 4, reserved: 0, backordered: 0, available: 4, ..}

  Scenario: A backorder that nobody paid ends in its time, and who waits behind it moves up
    Given stock of "MUG":
      | Reserve | {reservation: O1, quantity: 4, expires_at: now + 15 minutes} |
      | Reserve | {reservation: O2, quantity: 2}                               |
    When 15 minutes pass
    Then eventually stock of "MUG" is exactly:
      | Expired         | {reservation: O1, quantity: 4, short: 2} |
      | BackorderFilled | {reservation: O2, quantity: 2}           |

  Scenario: A backorder that was filled while it was held is an ordinary hold
    Given stock of "MUG":
      | Reserve | {reservation: O1, quantity: 3, expires_at: now + 15 minutes} |
      | Receive | {quantity: 1}                                                |
    When stock of "MUG": Allocate {reservation: O1}
    Then Allocated {reservation: O1, quantity: 3, from: [{location: main, quantity: 3}]}

  Scenario: A buyer who waits gets more time once, like any other
    Given stock of "MUG": Reserve {reservation: O1, quantity: 3, expires_at: now + 15 minutes}
    When stock of "MUG": Extend {reservation: O1, expires_at: now + 30 minutes}
    Then Extended {reservation: O1, expires_at: now + 30 minutes}
    When 29 minutes pass
    Then nothing happens

  Scenario: A shop that stops taking backorders keeps the promises it has made
    Given stock of "MUG":
      | Reserve   | {reservation: O1, quantity: 3} |
      | SetPolicy | {policy: deny}                 |
    When stock of "MUG": Reserve {reservation: O2, quantity: 1}
    Then refused: inventory.insufficient {requested: 1, available: 0}
    When stock of "MUG": Receive {quantity: 1}
    Then stock of "MUG":
      | Received        | {location: main, quantity: 1}  |
      | BackorderFilled | {reservation: O1, quantity: 1} |

  Scenario: What is no longer wanted of a backorder is first what is not there, and the rest need not wait for it
    Given stock of "MUG":
      | Reserve  | {reservation: O1, quantity: 3} |
      | Allocate | {reservation: O1}              |
    When stock of "MUG": PutBack {reservation: O1, quantity: 1}
    Then stock of "MUG":
      | Released  | {reservation: O1, quantity: 1, short: 1}                                        |
      | Allocated | {reservation: O1, quantity: 2, from: [{location: main, quantity: 2}]} |

  Scenario: Backorders without a limit or a date are promised for some day
    Given stock of "MUG": SetPolicy {policy: backorder {}}
    When stock of "MUG": Reserve {reservation: O1, quantity: 100000}
    Then Backordered {reservation: O1, quantity: 100000, short: 99998, promised_at: none}

  Scenario: What is not out yet is promised for the day it comes out, up to the print run
    Given stock of "BOOK": SetPolicy {policy: preorder {limit: 100, available_from: 2026-09-01T00:00:00Z}}
    When stock of "BOOK": Reserve {reservation: O1, quantity: 99}
    Then Backordered {reservation: O1, quantity: 99, short: 99, promised_at: 2026-09-01T00:00:00Z}
    When stock of "BOOK": Reserve {reservation: O2, quantity: 2}
    Then refused: inventory.insufficient {requested: 2, available: 1}

  Scenario: An order for what is not there is paid and confirmed, and its units leave when they arrive
    Given cart "C1":
      | Open     | {currency: GBP}                                                                                                                  |
      | AddLine  | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 15.00 GBP}}                                                  |
      | CheckOut | {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes} |
    When payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then eventually stock of "MUG": Committed {reservation: O1}
    And checkout "O1" wants stock of "MUG": Allocate {reservation: O1, now: now}
    And eventually order "O1": Confirmed
    And the stock "MUG" reads {on_hand: 2, reserved: 2, backordered: 1, ..}
    When stock of "MUG": Receive {quantity: 9}
    Then stock of "MUG":
      | Received        | {location: main, quantity: 9}                                                   |
      | BackorderFilled | {reservation: O1, quantity: 1}                                                  |
      | Allocated       | {reservation: O1, quantity: 3, from: [{location: main, quantity: 3}]} |

  Scenario: Nobody goes on waiting for the goods of an order that was cancelled
    Given cart "C1":
      | Open     | {currency: GBP}                                                                                                                  |
      | AddLine  | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 15.00 GBP}}                                                  |
      | CheckOut | {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes} |
    And payment "P1": Authorize {attempt: A1, token: tok_approve}
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {reason: customer_request, ..}
    And eventually stock of "MUG": Released {reservation: O1, quantity: 3, short: 1}
    And never stock of "MUG": Adjusted
