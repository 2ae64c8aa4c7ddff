Feature: Orders for units that are still to come

  Background:
    Given stock of "MUG": Receive {quantity: 3}
    And stock of "MUG": SetPolicy {policy: backorder {limit: 4}}
    And cart "C1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 5, unit_price: 15.00 GBP}} |

  Scenario: Where backorders are allowed, more can be bought than is there
    When cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually stock of "MUG": Backordered {reservation: O1, quantity: 5, short: 2, ..}
    And eventually checkout "O1": Reserved
    And the stock "MUG" reads {on_hand: 3, backordered: 2, available: 0, ..}

  Scenario: A backordered order is confirmed when it is paid, and its units leave when they come
    Given cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    When payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested
    And eventually stock of "MUG": Committed {reservation: O1}
    And eventually order "O1": Confirmed
    And never stock of "MUG": Allocated
    When stock of "MUG": Receive {quantity: 10}
    Then stock of "MUG":
      | Received        | {quantity: 10, ..}                    |
      | BackorderFilled | {reservation: O1, quantity: 2}        |
      | Allocated       | {reservation: O1, quantity: 5, ..}    |

  Scenario: More than the shop promises is not sold
    Given cart "C1": SetQuantity {sku: MUG, quantity: 8}
    When cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually checkout "O1": ReservationFailed {shortages: [{sku: MUG, requested: 8, available: 7}]}
    And eventually order "O1": Cancelled {reason: out_of_stock, ..}

  Scenario: Whoever calls a backordered order off makes room for the next one, and nothing is put on the shelf
    Given cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    And payment "P1": Authorize {attempt: A1, token: tok_approve}
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {units: [{sku: MUG, quantity: 5}], ..}
    And order "O1" wants stock of "MUG": PutBack {reservation: O1, quantity: 5, reference: O1}
    And eventually stock of "MUG": Released {reservation: O1, quantity: 5, short: 2}
    And never stock of "MUG": Adjusted
    And the stock "MUG" reads {on_hand: 3, reserved: 0, backordered: 0, available: 3, ..}

  Scenario: A buyer who needs fewer of a backorder gives up the missing ones first, and the rest leaves at once
    Given cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    And payment "P1": Authorize {attempt: A1, token: tok_approve}
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 2}]}
    Then LinesCancelled
    And eventually stock of "MUG":
      | Released  | {reservation: O1, quantity: 2, short: 2}                                    |
      | Allocated | {reservation: O1, quantity: 3, from: [{location: main, quantity: 3}]}       |

  Scenario: A backorder that nobody pays gives up what it waits for
    Given cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    When 30 minutes pass
    Then eventually checkout "O1": GivenUp {reason: payment_timed_out}
    And eventually stock of "MUG": Released {reservation: O1, quantity: 5, short: 2}

  Scenario: What is not out yet is ordered with the day when it will be
    Given stock of "ATLAS": SetPolicy {policy: preorder {limit: 100, available_from: 2026-04-01T00:00:00Z}}
    And cart "C2":
      | Open    | {currency: GBP}                                                                     |
      | AddLine | {line: {sku: ATLAS, product: P2, title: Atlas, quantity: 1, unit_price: 40.00 GBP}} |
    When cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Ada, address: London, country: GB}, capture: on_shipment, pay_by: now + 30 minutes}
    And payment "P2": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested
    And eventually stock of "ATLAS": Backordered {reservation: O2, quantity: 1, short: 1, promised_at: 2026-04-01T00:00:00Z, ..}
    And eventually order "O2": Confirmed
    And never payment "P2": Captured
