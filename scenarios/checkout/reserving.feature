Feature: What a checkout needs before anybody pays

  Background:
    Given stock of "MUG": Receive {quantity: 5}
    And cart "C1": Open {currency: GBP}
    And cart "C1": AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}}

  Scenario: Everything is reserved before the buyer is asked to pay
    When cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut {order: O1, total: 30.00 GBP, ..}
    And eventually checkout "O1": Started {cart: C1, total: 30.00 GBP, pay_by: 2026-01-01T00:30:00Z, ..}
    And eventually order "O1": Placed {lines: [{sku: MUG, title: Mug, quantity: 2, unit_price: 15.00 GBP}], total: 30.00 GBP, ..}
    And eventually stock of "MUG": Reserved {reservation: O1, quantity: 2, expires_at: now + 40 minutes}
    And eventually checkout "O1": Reserved
    And eventually payment "P1": IntentOpened {order: O1, amount: 30.00 GBP, method: card, capture: at_once}
    And checkout "O1" wants order "O1": Place
    And checkout "O1" wants stock of "MUG": Reserve {reservation: O1, quantity: 2, expires_at: now + 40 minutes, in_stock: false, now: now}
    And checkout "O1" wants payment "P1": OpenIntent {order: O1, amount: 30.00 GBP, method: card, capture: at_once}
    And checkout "O1" wants nothing more
    And the order "O1" reads {status: placed, total: 30.00 GBP, ..}

  Scenario: When one SKU is short nothing stays reserved, and the SKU is named
    Given cart "C1": AddLine {line: {sku: POT, product: P2, title: Pot, quantity: 3, unit_price: 20.00 GBP}}
    And stock of "POT": Receive {quantity: 1}
    When cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually checkout "O1": ReservationFailed {shortages: [{sku: POT, requested: 3, available: 1}]}
    And eventually stock of "MUG": Released {reservation: O1, quantity: 2, short: 0}
    And eventually order "O1": Cancelled {reason: out_of_stock, confirmed: false, ..}
    And never payment "P1": IntentOpened
    And the order "O1" reads {status: cancelled, cancel_reason: out_of_stock, ..}

  Scenario: The last unit is sold once
    Given stock of "MUG": Adjust {delta: -3, reason: lost}
    And cart "C2": Open {currency: GBP}
    And cart "C2": AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 15.00 GBP}}
    When cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    And cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Eve, address: Leeds, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually checkout "O1": Reserved
    And eventually checkout "O2": ReservationFailed {shortages: [{sku: MUG, requested: 1, available: 0}]}

  Scenario: Free goods ask for no payment at all, and are confirmed at once
    Given cart "C2": Open {currency: GBP}
    And cart "C2": AddLine {line: {sku: MUG, product: P1, title: Sample, quantity: 1, unit_price: 0.00 GBP}}
    When cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut {total: 0.00 GBP, ..}
    And eventually checkout "O2" is exactly:
      | Started   | {order: O2, total: 0.00 GBP, ..} |
      | Reserved  |                                  |
      | Accepted  | {at: now}                        |
      | Completed |                                  |
    And eventually order "O2": Confirmed {total: 0.00 GBP, lines: [{sku: MUG, quantity: 1}]}
    And never payment "P2": IntentOpened
    And never fulfilment "O2": Started

  Scenario: Cash on delivery needs no card: the order is confirmed at once and paid at the door
    When cart "C1": CheckOut {order: O1, payment: P1, method: cash_on_delivery, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually order "O1": Confirmed {terms: {payment: P1, method: cash_on_delivery, capture: on_shipment}, total: 30.00 GBP, ..}
    And eventually payment "P1": IntentOpened {method: cash_on_delivery, capture: on_shipment, ..}
    And never payment "P1": Captured
    When 30 minutes pass
    Then never order "O1": Cancelled

  Scenario: Tax and postage of the quote stand on the order, and are asked for
    When cart "C1": CheckOut
      | order    | O1                                                                                                                                                                                                      |
      | payment  | P1                                                                                                                                                                                                      |
      | method   | card                                                                                                                                                                                                    |
      | delivery | {contact: Ada, address: London, country: GB}                                                                                                                                                            |
      | pay_by   | now + 30 minutes                                                                                                                                                                                        |
      | quote    | {prices_include_tax: false, lines: [{rate_ppm: 200000, tax: 6.00 GBP}], shipping: {code: POST, title: Royal Mail, price: 4.00 GBP, rate_ppm: 200000, tax: 0.80 GBP}, tax: 6.80 GBP, total: 40.80 GBP} |
    Then CheckedOut {total: 40.80 GBP, ..}
    And eventually order "O1": Placed
      | lines              | [{sku: MUG, title: Mug, quantity: 2, unit_price: 15.00 GBP, tax: 6.00 GBP}]                 |
      | charges            | [{code: POST, title: Royal Mail, quantity: 1, unit_amount: 4.00 GBP, tax: 0.80 GBP}]        |
      | prices_include_tax | false                                                                                       |
      | total              | 40.80 GBP                                                                                   |
      | ..                 |                                                                                             |
    And eventually payment "P1": IntentOpened {amount: 40.80 GBP, ..}

  Scenario: An order id that stands for another order undoes nothing of that order
    Given order "O1": Place {source: {import: 536365}, lines: [{sku: MUG, quantity: 1, unit_price: 9.00 GBP}], placed_at: now}
    When cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually checkout "O1": ReservationFailed {shortages: [], refusals: [{index: 0, refusal: {code: order.already_placed}}]}
    And eventually stock of "MUG": Released {reservation: O1, quantity: 2, short: 0}
    And never order "O1": Cancelled

  Scenario: A checkout that is told of a cancellation while it reserves undoes everything
    Given checkout "O9": Start
      | cart         | C9                                                                        |
      | order        | O9                                                                        |
      | payment      | P9                                                                        |
      | method       | card                                                                      |
      | delivery     | {contact: Ada, address: London, country: GB}                              |
      | lines        | [{sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}] |
      | total        | 30.00 GBP                                                                 |
      | capture      | at_once                                                                   |
      | attempts_max | 1                                                                         |
      | pay_by       | now + 30 minutes                                                          |
      | at           | now                                                                       |
    When checkout "O9": OrderCancelled {reason: staff, confirmed: false}
    Then CancellationNoted {reason: staff}
    When checkout "O9": OrderHeld
    Then HoldNoted
    When checkout "O9": OrderReleased
    Then HoldLifted
    When checkout "O9": Answered {step: reserve, refused: []}
    Then GivenUp {reason: staff}

  Scenario: A cart that is checked out twice is reserved once
    When cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    And the same command comes again
    Then nothing happens
    And eventually stock of "MUG" is exactly:
      | Reserved | {reservation: O1, quantity: 2, ..} |
    And the stock "MUG" reads {on_hand: 5, reserved: 2, available: 3, ..}
