Feature: Every unit has its share of the total, and the shares add up to it

  Scenario: Three units whose tax does not divide by three are worth the line's total together
    Given order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 3, unit_price: 3.33 GBP, tax: 2.00 GBP}], prices_include_tax: false, placed_at: now}
    And order "O1": Confirm
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 1}]}
    Then Shipped {value: 3.99 GBP, ..}
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 1}]}
    Then LinesCancelled {value: 4.00 GBP, ..}
    When order "O1": Ship {shipment: S2, carrier: Post, lines: [{line: 0, quantity: 1}]}
    Then Shipped {value: 4.00 GBP, complete: true, ..}

  Scenario: A voucher is shared out over all lines by what they cost
    Given order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 1, unit_price: 30.00 GBP}, {sku: POT, quantity: 1, unit_price: 10.00 GBP}], charges: [{code: VOUCHER, quantity: 1, unit_amount: -10.00 GBP}], placed_at: now}
    And order "O1": Confirm
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 1}]}
    Then LinesCancelled {value: 22.50 GBP, ..}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 1, quantity: 1}]}
    Then Shipped {value: 7.50 GBP, complete: true, ..}

  Scenario: A voucher eats up the postage before it makes the goods cheaper
    Given order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 2, unit_price: 10.00 GBP}], charges: [{code: POST, quantity: 1, unit_amount: 4.00 GBP}, {code: VOUCHER, quantity: 1, unit_amount: -3.00 GBP}], placed_at: now}
    And order "O1": Confirm
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 1}]}
    Then Shipped {value: 11.00 GBP, ..}
    When order "O1": Ship {shipment: S2, carrier: Post, lines: [{line: 0, quantity: 1}]}
    Then Shipped {value: 10.00 GBP, ..}

  Scenario: A yen that cannot be divided goes to the units that leave later
    Given order "O1": Place {source: {cart: C1}, lines: [{sku: TEA, quantity: 3, unit_price: 100 JPY}], charges: [{code: VOUCHER, quantity: 1, unit_amount: -100 JPY}], placed_at: now}
    And order "O1": Confirm
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 1}]}
    Then Shipped {value: 66 JPY, ..}
    When order "O1": Ship {shipment: S2, carrier: Post, lines: [{line: 0, quantity: 2}]}
    Then Shipped {value: 134 JPY, ..}

  Scenario Outline: Everything that is sent together is worth exactly what the buyer agreed to
    Given order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 3, unit_price: 3.33 GBP, tax: 2.00 GBP}], charges: <charges>, prices_include_tax: <included>, placed_at: now}
    And order "O1": Confirm
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}]}
    Then Shipped {value: <total>, ..}

    Examples:
      | charges                                                                | included | total     |
      | []                                                                     | true     | 9.99 GBP  |
      | []                                                                     | false    | 11.99 GBP |
      | [{code: POST, quantity: 2, unit_amount: 1.50 GBP, tax: 0.60 GBP}]      | false    | 15.59 GBP |
      | [{code: POST, quantity: 2, unit_amount: 1.50 GBP, tax: 0.60 GBP}]      | true     | 12.99 GBP |
      | [{code: VOUCHER, quantity: 1, unit_amount: -5.00 GBP}]                 | false    | 6.99 GBP  |
