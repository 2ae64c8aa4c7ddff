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
      | lines                                                                                            | refusal                           |
      | []                                                                                               | order.empty                       |
      | [{sku: MUG, quantity: 1, unit_price: -1.00 GBP}]                                                 | order.bad_total                   |
      | [{sku: MUG, quantity: 1, unit_price: 1.00 GBP}, {sku: POT, quantity: 1, unit_price: 1.00 EUR}] | order.bad_total                   |
      | [2001 x {sku: MUG, quantity: 1, unit_price: 0.01 GBP}]                                           | order.too_many_lines {max: 2000} |

  Scenario: What was called off is not confirmed any more
    Given order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}], placed_at: now}
    When order "O1": Cancel {reason: staff, note: looks odd}
    Then Cancelled {reason: staff, note: looks odd, ..}
    When order "O1": Confirm {}
    Then refused: order.cancelled {reason: staff}

  Scenario: Only an order that was placed can be confirmed
    When order "O1": Confirm {}
    Then refused: order.not_placed

  Scenario: A credit note is not an order
    When order "N1": IssueCreditNote {source: {import: C536379}, lines: [{sku: MUG, quantity: 1, unit_price: 15.00 GBP}], issued_at: now}
    Then CreditNoteIssued {total: 15.00 GBP, ..}
    When order "N1": Cancel {reason: staff}
    Then refused: order.is_credit_note
