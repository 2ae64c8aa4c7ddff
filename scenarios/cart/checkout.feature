Feature: From an open cart to an order

  Scenario: Opening a cart again is fine for the same customer and no other
    When cart "C1": Open {customer: ada, currency: GBP}
    Then Opened {customer: ada, currency: GBP}
    When cart "C1": Open {customer: ada, currency: GBP}
    Then nothing happens
    When cart "C1": Open {customer: eve, currency: GBP}
    Then refused: cart.already_open

  Scenario: A cart does not change its currency
    Given cart "C1": Open {customer: ada, currency: GBP}
    When cart "C1": Open {customer: ada, currency: EUR}
    Then refused: cart.already_open

  Scenario: Nothing can be put into a cart that was never opened
    When cart "C1": AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 15.00 GBP}}
    Then refused: cart.not_open

  Scenario: An empty cart cannot be ordered
    Given cart "C1": Open {currency: GBP}
    When cart "C1": CheckOut
      | order    | O1                                           |
      | payment  | P1                                           |
      | method   | card                                         |
      | delivery | {contact: Ada, address: London, country: GB} |
      | pay_by   | now + 30 minutes                             |
    Then refused: cart.empty

  Scenario: A total that the buyer saw and that is another one now is told instead of charged
    Given cart "C1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}} |
    When cart "C1": CheckOut
      | order          | O1                                           |
      | payment        | P1                                           |
      | method         | card                                         |
      | delivery       | {contact: Ada, address: London, country: GB} |
      | expected_total | 28.00 GBP                                    |
      | pay_by         | now + 30 minutes                             |
    Then refused: cart.total_changed {total: 30.00 GBP, expected: 28.00 GBP}

  Scenario: A cart becomes one order and no second one
    Given stock of "MUG": Receive {quantity: 5}
    And cart "C1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}} |
    And cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    When cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then nothing happens
    When cart "C1": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then refused: cart.already_checked_out {order: O1}
    And never order "O2": Placed

  Scenario Outline: What was ordered is not changed in the cart any more
    Given cart "C1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}} |
    And cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    When cart "C1": <command>
    Then refused: cart.already_checked_out {order: O1}

    Examples:
      | command                                                                                    |
      | AddLine {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}} |
      | SetQuantity {sku: MUG, quantity: 1}                                                        |
      | RemoveLine {sku: MUG}                                                                      |
      | AcceptPrices {prices: [{sku: MUG, unit_price: 9.00 GBP}]}                                |
      | MergeInto {into: C2, customer: ada}                                                        |
      | Open {currency: GBP}                                                                       |

  Scenario Outline: A buyer may try to pay once unless the shop says otherwise, and never more than fifty times
    Given cart "C1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}} |
    When cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes, attempts_max: <asked>}
    Then CheckedOut {attempts_max: <allowed>, ..}

    Examples:
      | asked | allowed |
      | none  | 1       |
      | 0     | 1       |
      | 3     | 3       |
      | 1000  | 50      |

  Scenario: A buyer whose first card is declined pays with the next one, as often as the checkout allows
    Given stock of "MUG": Receive {quantity: 5}
    And cart "C1":
      | Open     | {currency: GBP}                                                                                                                                               |
      | AddLine  | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}}                                                                               |
      | CheckOut | {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes, attempts_max: 2} |
    And payment "P1": Authorize {attempt: A1, token: tok_decline}
    When payment "P1": Authorize {attempt: A2, token: tok_approve}
    Then eventually order "O1": Confirmed
    And never order "O1": Cancelled
    And the order "O1" reads {status: confirmed, payment_status: captured, ..}
