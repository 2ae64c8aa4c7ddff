Feature: From an open cart to an order

  Scenario: Opening a cart again is fine for the same customer and no other
    When cart "C1": Open {customer: ada, currency: GBP}
    Then Opened {customer: ada, currency: GBP}
    When cart "C1": Open {customer: ada, currency: GBP}
    Then nothing happens
    When cart "C1": Open {customer: eve, currency: GBP}
    Then refused: cart.already_open

  Scenario: Nothing can be put into a cart that was never opened
    When cart "C1": AddLine {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 15.00 GBP}
    Then refused: cart.not_open

  Scenario: An empty cart cannot be ordered
    Given cart "C1": Opened {currency: GBP}
    When cart "C1": CheckOut
      | order    | O1                                           |
      | payment  | P1                                           |
      | method   | card                                         |
      | delivery | {contact: Ada, address: London, country: GB} |
      | pay_by   | now + 30 minutes                             |
    Then refused: cart.empty

  Scenario: A total that the buyer saw and that is another one now is told instead of charged
    Given cart "C1":
      | Opened    | {currency: GBP}                                                         |
      | LineAdded | {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP} |
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
      | Opened    | {currency: GBP}                                                         |
      | LineAdded | {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP} |
    And cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    When cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then nothing happens
    When cart "C1": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then refused: cart.already_checked_out {order: O1}
