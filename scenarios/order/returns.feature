Feature: Goods come back

  Background:
    Given stock of "MUG": Receive {quantity: 5}
    And order "O1": Place
      | source    | {cart: C1}                                                                                         |
      | lines     | [{sku: MUG, quantity: 3, unit_price: 10.00 GBP}, {sku: POT, quantity: 1, unit_price: 20.00 GBP}] |
      | charges   | [{code: POST, quantity: 1, unit_amount: 4.50 GBP}]                                                 |
      | placed_at | now                                                                                                |
    And order "O1": Confirm
    And order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}]}

  Scenario: A parcel need not have arrived to be sent back, but it must have left
    When order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 1}], reason: ordered too many}
    Then ReturnRequested {return_id: R1, lines: [{line: 0, quantity: 1}], reason: ordered too many}
    When order "O1": RequestReturn {return_id: R2, lines: [{line: 1, quantity: 1}], reason: ordered too many}
    Then refused: order.too_many_units {line: 1, left: 0}

  Scenario: The same mugs are not asked back twice, until their return is turned down
    Given order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 2}], reason: broken}
    When order "O1": RequestReturn {return_id: R2, lines: [{line: 0, quantity: 2}], reason: broken}
    Then refused: order.too_many_units {line: 0, left: 1}
    When order "O1": RejectReturn {return_id: R1, note: after 30 days}
    Then ReturnRejected {return_id: R1, note: after 30 days}
    When order "O1": RequestReturn {return_id: R2, lines: [{line: 0, quantity: 2}], reason: broken}
    Then ReturnRequested {return_id: R2, ..}

  Scenario: A return that is asked for twice is one, and its name stands for nothing else
    Given order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 1}], reason: broken}
    When order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 1}], reason: broken}
    Then nothing happens
    When order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 2}], reason: broken}
    Then refused: order.return_exists {return_id: R1}

  Scenario: Nothing is received that nobody said may come
    Given order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 1}], reason: broken}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 1, disposition: restock}], issued_at: now}
    Then refused: order.return_not_approved {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R9, lines: [{line: 0, quantity: 1, disposition: restock}], issued_at: now}
    Then refused: order.no_such_return {return_id: R9}

  Scenario: Whatever is whole goes back on sale, what is broken is written off, and both are credited
    Given order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 3}], reason: broken in transit}
    And order "O1": ApproveReturn {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 1, disposition: restock}, {line: 0, quantity: 2, disposition: write_off}], issued_at: now}
    Then ReturnReceived
      | return_id | R1                                                                                                        |
      | restock   | [{sku: MUG, quantity: 1}]                                                                                 |
      | lines     | [{line: 0, quantity: 1, disposition: restock}, {line: 0, quantity: 2, disposition: write_off}]            |
      | value     | 30.00 GBP                                                                                                 |
      | delivered | 0.00 GBP                                                                                                  |
      | credit    | {source: {cart: C1}, lines: [{sku: MUG, quantity: 3, unit_price: 10.00 GBP}], charges: [], prices_include_tax: true} |
      | issued_at | now                                                                                                       |
    And order "O1" wants stock of "MUG": Adjust {delta: 1, reason: returned, reference: R1}
    And eventually stock of "MUG": Adjusted {location: main, delta: 1, reason: returned, reference: R1}
    And the stock "MUG" reads {on_hand: 6, ..}
    And the order "O1" reads {returns: [{id: R1, status: received, value: 30.00 GBP, ..}], ..}

  Scenario: What does not come with the parcel may be sent back later, under another name
    Given order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 3}], reason: wrong colour}
    And order "O1": ApproveReturn {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 1, disposition: restock}], issued_at: now}
    Then ReturnReceived {value: 10.00 GBP, ..}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 2, disposition: restock}], issued_at: now}
    Then refused: order.return_received {return_id: R1}
    When order "O1": RequestReturn {return_id: R2, lines: [{line: 0, quantity: 2}], reason: wrong colour}
    Then ReturnRequested {return_id: R2, ..}

  Scenario: More than was announced is not taken in
    Given order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 1}], reason: broken}
    And order "O1": ApproveReturn {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 2, disposition: restock}], issued_at: now}
    Then refused: order.too_many_units {line: 0, left: 1}

  Scenario: A return that was turned down is neither approved nor received any more
    Given order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 1}], reason: broken}
    And order "O1": RejectReturn {return_id: R1}
    When order "O1": ApproveReturn {return_id: R1}
    Then refused: order.return_rejected {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 1, disposition: restock}], issued_at: now}
    Then refused: order.return_rejected {return_id: R1}
    And the order "O1" reads {returns: [{id: R1, status: rejected, ..}], ..}

  Scenario: A parcel that was approved and never came can be written off, one that came cannot
    Given order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 1}], reason: broken}
    When order "O1": ApproveReturn {return_id: R1}
    Then ReturnApproved {return_id: R1}
    When order "O1": RejectReturn {return_id: R1, note: never came}
    Then ReturnRejected {return_id: R1, note: never came}
    When order "O1": RequestReturn {return_id: R2, lines: [{line: 0, quantity: 1}], reason: broken}
    And order "O1": ApproveReturn {return_id: R2}
    And order "O1": ReceiveReturn {return_id: R2, lines: [{line: 0, quantity: 1, disposition: write_off}], issued_at: now}
    Then ReturnReceived {return_id: R2, restock: [], value: 10.00 GBP, ..}
    When order "O1": RejectReturn {return_id: R2}
    Then refused: order.return_received {return_id: R2}

  Scenario: What was given back for a return is said once, and only of one that came
    Given order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 1}], reason: broken}
    And order "O1": ApproveReturn {return_id: R1}
    When order "O1": RecordReturnRefunded {return_id: R1, amount: 10.00 GBP}
    Then refused: order.return_not_received {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 1, disposition: restock}], issued_at: now}
    And order "O1": RecordReturnRefunded {return_id: R1, amount: 10.00 GBP}
    Then ReturnRefunded {return_id: R1, amount: 10.00 GBP}
    When order "O1": RecordReturnRefunded {return_id: R1, amount: 12.00 GBP}
    Then refused: order.return_refunded {return_id: R1}

  Scenario: The postage of an order that came back whole is the buyer's to bear
    Given order "O1": Ship {shipment: S2, carrier: Post, lines: [{line: 1, quantity: 1}]}
    And order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 3}, {line: 1, quantity: 1}], reason: changed my mind}
    And order "O1": ApproveReturn {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 3, disposition: restock}, {line: 1, quantity: 1, disposition: restock}], issued_at: now}
    Then ReturnReceived {value: 50.00 GBP, restock: [{sku: MUG, quantity: 3}, {sku: POT, quantity: 1}], ..}
    And the order "O1" reads {status: returned, ..}

  Scenario: Returned goods are worth what they were sold for, voucher and odd pennies included
    Given order "O2": Place {source: {cart: C2}, lines: [{sku: MUG, quantity: 3, unit_price: 10.00 GBP}], charges: [{code: VOUCHER, quantity: 1, unit_amount: -5.00 GBP}], placed_at: now}
    And order "O2": Confirm
    And order "O2": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}]}
    And order "O2": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 1}], reason: broken}
    And order "O2": ApproveReturn {return_id: R1}
    When order "O2": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 1, disposition: write_off}], issued_at: now}
    Then ReturnReceived {value: 8.33 GBP, credit: {lines: [{sku: MUG, quantity: 1, unit_price: 10.00 GBP}], charges: [{code: DISCOUNT, quantity: 1, unit_amount: -1.67 GBP}], ..}, ..}
