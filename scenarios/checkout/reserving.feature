Feature: What a checkout needs before anybody pays

  Background:
    Given stock of "MUG": Receive {quantity: 5}
    And cart "C1": Opened {currency: GBP}
    And cart "C1": LineAdded {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}

  Scenario: Everything is reserved before the buyer is asked to pay
    When cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut {order: O1, total: 30.00 GBP, ..}
    And eventually checkout "O1": Started {cart: C1, total: 30.00 GBP, pay_by: 2026-01-01T00:30:00Z, ..}
    And eventually order "O1": Placed {lines: [{sku: MUG, quantity: 2, ..}], total: 30.00 GBP, ..}
    And eventually stock of "MUG": Reserved {reservation: O1, quantity: 2, expires_at: now + 40 minutes}
    And eventually checkout "O1": Reserved
    And eventually payment "P1": IntentOpened {order: O1, amount: 30.00 GBP, method: card, capture: at_once}
    And checkout "O1" wants order "O1": Place
    And checkout "O1" wants stock of "MUG": Reserve {reservation: O1, quantity: 2, expires_at: now + 40 minutes, now: now}
    And checkout "O1" wants payment "P1": OpenIntent {order: O1, amount: 30.00 GBP, method: card, capture: at_once}
    And checkout "O1" wants nothing more

  Scenario: When one SKU is short nothing stays reserved, and the SKU is named
    Given cart "C1": LineAdded {sku: POT, product: P2, title: Pot, quantity: 3, unit_price: 20.00 GBP}
    And stock of "POT": Receive {quantity: 1}
    When cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually checkout "O1": ReservationFailed {shortages: [{sku: POT, requested: 3, available: 1}]}
    And eventually stock of "MUG": Released {reservation: O1, quantity: 2}
    And eventually order "O1": Cancelled {reason: out_of_stock, ..}
    And never payment "P1": IntentOpened

  Scenario: The last unit is sold once
    Given stock of "MUG": Adjust {delta: -3, reason: lost}
    And cart "C2": Opened {currency: GBP}
    And cart "C2": LineAdded {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 15.00 GBP}
    When cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    And cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Eve, address: Leeds, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually checkout "O1": Reserved
    And eventually checkout "O2": ReservationFailed {shortages: [{sku: MUG, requested: 1, available: 0}]}

  Scenario: Cash on delivery needs no card: the order is confirmed at once and paid at the door
    When cart "C1": CheckOut {order: O1, payment: P1, method: cash_on_delivery, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually order "O1": Confirmed
    And eventually payment "P1": IntentOpened {method: cash_on_delivery, capture: on_shipment, ..}
    And never payment "P1": Captured

  Scenario: A checkout that is told of a cancellation while it reserves undoes everything
    Given checkout "O9": Started
      | cart     | C9                                                                               |
      | order    | O9                                                                               |
      | payment  | P9                                                                               |
      | method   | card                                                                             |
      | delivery | {contact: Ada, address: London, country: GB}                                     |
      | lines    | [{sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}] |
      | total    | 30.00 GBP                                                                        |
      | pay_by   | now + 30 minutes                                                                 |
      | at       | now                                                                              |
    When checkout "O9": OrderCancelled {reason: staff}
    Then CancellationNoted {reason: staff}
    When checkout "O9": Answered {step: reserve, refused: []}
    Then GivenUp {reason: staff}
