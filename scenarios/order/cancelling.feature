Feature: Orders are called off, whole or by line

  Background:
    Given stock of "MUG": Receive {quantity: 5}
    And order "O1": Place
      | source    | {cart: C1}                                                                                         |
      | lines     | [{sku: MUG, quantity: 3, unit_price: 10.00 GBP}, {sku: POT, quantity: 1, unit_price: 20.00 GBP}] |
      | charges   | [{code: POST, quantity: 1, unit_amount: 4.50 GBP}]                                                 |
      | placed_at | now                                                                                                |
    And order "O1": Confirm

  Scenario: Cancelling a confirmed order names everything that goes back, postage included
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {reason: customer_request, confirmed: true, units: [{sku: MUG, quantity: 3}, {sku: POT, quantity: 1}], value: 54.50 GBP}
    When order "O1": Cancel {reason: staff}
    Then nothing happens
    And the order "O1" reads {status: cancelled, cancel_reason: customer_request, ..}

  Scenario: Once a parcel has left the order cannot be called off as a whole, the rest of it can
    Given order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 1, quantity: 1}]}
    When order "O1": Cancel {reason: customer_request}
    Then refused: order.already_shipped
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 3}], note: too late}
    Then LinesCancelled {cancellation: X1, lines: [{line: 0, quantity: 3}], note: too late, units: [{sku: MUG, quantity: 3}], value: 30.00 GBP, complete: true}
    And the order "O1" reads {status: shipped, ..}

  Scenario: The postage stays to be paid as long as anything is still to be sent
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 3}]}
    Then LinesCancelled {value: 30.00 GBP, complete: false, ..}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 1, quantity: 1}]}
    Then Shipped {value: 24.50 GBP, complete: true, ..}

  Scenario: Whoever cancels the last line has cancelled the order, and gets the postage back
    Given order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 3}]}
    When order "O1": CancelLines {cancellation: X2, lines: [{line: 1, quantity: 1}]}
    Then LinesCancelled {cancellation: X2, value: 24.50 GBP, complete: true, ..}
    And Cancelled {reason: lines_cancelled, confirmed: true, units: [], value: 0.00 GBP}
    And the order "O1" reads {status: cancelled, cancel_reason: lines_cancelled, ..}

  Scenario: Cancelled units come back on sale
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 2}]}
    Then LinesCancelled
    And order "O1" wants stock of "MUG": PutBack {reservation: O1, quantity: 2, reference: O1}
    And order "O1" wants nothing more
    And eventually stock of "MUG": Adjusted {location: main, delta: 2, reason: returned, reference: O1}
    And the stock "MUG" reads {on_hand: 7, available: 7, ..}

  Scenario: Two mugs of three cannot be cancelled and then two more
    Given order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 2}]}
    When order "O1": CancelLines {cancellation: X2, lines: [{line: 0, quantity: 2}]}
    Then refused: order.too_many_units {line: 0, left: 1}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 2}]}
    Then refused: order.too_many_units {line: 0, left: 1}

  Scenario: A cancellation that is sent twice cancels once, and its name stands for nothing else
    Given order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 1}]}
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 1}]}
    Then nothing happens
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 2}]}
    Then refused: order.cancellation_exists {cancellation: X1}

  Scenario: What is called off is not sent, and its parcel is not invented afterwards
    Given order "O1": Cancel {reason: staff}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 1}]}
    Then refused: order.cancelled {reason: staff}
    When order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 1}], reason: broken}
    Then refused: order.cancelled {reason: staff}
