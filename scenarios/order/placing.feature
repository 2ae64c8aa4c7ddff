Feature: Orders, from being placed to being confirmed or called off

  Scenario: An id names one order
    When order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}], placed_at: now}
    Then Placed {lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}], total: 30.00 GBP, ..}
    When order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}], placed_at: now}
    Then nothing happens
    When order "O1": Place {source: {cart: C2}, lines: [{sku: POT, quantity: 1, unit_price: 20.00 GBP}], placed_at: now}
    Then refused: order.already_placed

  Scenario Outline: An order is for something, at prices that add up
    When order "O1": Place {source: {cart: C1}, lines: <lines>, placed_at: now}
    Then refused: <refusal>

    Examples:
      | lines                                                                                                    | refusal                          |
      | []                                                                                                       | order.empty                      |
      | [{sku: MUG, quantity: 1, unit_price: -1.00 GBP}]                                                         | order.bad_total                  |
      | [{sku: MUG, quantity: 1, unit_price: 1.00 GBP}, {sku: POT, quantity: 1, unit_price: 1.00 EUR}]           | order.bad_total                  |
      | [{sku: MUG, quantity: 1, unit_price: 1.00 GBP, tax: -0.20 GBP}]                                          | order.bad_total                  |
      | [{sku: MUG, quantity: 1, unit_price: 1.00 GBP, tax: 0.20 EUR}]                                           | order.bad_total                  |
      | [2001 x {sku: MUG, quantity: 1, unit_price: 0.01 GBP}]                                                   | order.too_many_lines {max: 2000} |

  Scenario: A voucher may pay for everything, but never leaves the shop owing money
    When order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 1, unit_price: 15.00 GBP}], charges: [{code: VOUCHER, quantity: 1, unit_amount: -15.01 GBP}], placed_at: now}
    Then refused: order.bad_total
    When order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 1, unit_price: 15.00 GBP}], charges: [{code: VOUCHER, quantity: 1, unit_amount: -15.00 GBP}], placed_at: now}
    Then Placed {total: 0.00 GBP, ..}

  Scenario: What was called off is not confirmed any more
    Given order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}], placed_at: now}
    When order "O1": Cancel {reason: staff, note: looks odd}
    Then Cancelled {reason: staff, note: looks odd, confirmed: false, units: [], value: 30.00 GBP}
    When order "O1": Confirm
    Then refused: order.cancelled {reason: staff}
    And the order "O1" reads {status: cancelled, cancel_reason: staff, cancel_note: looks odd, ..}

  Scenario: Only an order that was placed can be confirmed
    When order "O1": Confirm
    Then refused: order.not_placed

  Scenario: A confirmation names every SKU once, on however many lines it stands
    Given order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}, {sku: POT, quantity: 1, unit_price: 20.00 GBP}, {sku: MUG, quantity: 3, unit_price: 12.00 GBP}], placed_at: now}
    When order "O1": Confirm
    Then Confirmed {total: 86.00 GBP, lines: [{sku: MUG, quantity: 5}, {sku: POT, quantity: 1}]}
    When order "O1": Confirm
    Then nothing happens

  Scenario Outline: Taxes come on top of the total only where the prices do not hold them
    When order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 2, unit_price: 10.00 GBP, tax: 4.00 GBP}], charges: [{code: POST, quantity: 1, unit_amount: 3.00 GBP, tax: 0.60 GBP}], prices_include_tax: <included>, placed_at: now}
    Then Placed {total: <total>, prices_include_tax: <included>, ..}
    And the order "O1" reads {total: <total>, ..}

    Examples:
      | included | total     |
      | true     | 23.00 GBP |
      | false    | 27.60 GBP |

  Scenario: Nothing is shipped, edited, cancelled by line or sent back before the order is confirmed
    Given order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}], placed_at: now}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 1}]}
    Then refused: order.not_confirmed
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 1}]}
    Then refused: order.not_confirmed
    When order "O1": BeginEdit {edit: E1}
    Then refused: order.not_confirmed
    When order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 1}], reason: broken}
    Then refused: order.not_confirmed
