Feature: The lines of a cart

  Background:
    Given cart "C1": Open {currency: GBP}

  Scenario: A SKU that is added again makes its line longer, at the new price, instead of a second one
    Given cart "C1": AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}}
    When cart "C1": AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 14.00 GBP}}
    And cart "C1": CheckOut
      | order    | O1                                           |
      | payment  | P1                                           |
      | method   | card                                         |
      | delivery | {contact: Ada, address: London, country: GB} |
      | pay_by   | now + 30 minutes                             |
    Then CheckedOut {lines: [{sku: MUG, product: P1, title: Mug, quantity: 5, unit_price: 14.00 GBP}], total: 70.00 GBP, ..}
    And the cart "C1" reads {status: checked_out, order: O1, total: 70.00 GBP, ..}

  Scenario: A command that is sent twice adds its units once
    When cart "C1": AddLine
      | line | {sku: MUG, product: P1, title: "Mug, blue", quantity: 2, unit_price: 15.00 GBP} |
    And the same command comes again
    Then nothing happens
    And eventually cart "C1" is exactly:
      | LineAdded | {line: {sku: MUG, title: "Mug, blue", quantity: 2, ..}, ..} |
    And the cart "C1" reads {status: open, total: 30.00 GBP, lines: [{sku: MUG, quantity: 2, ..}], ..}

  Scenario: A price in another currency than the cart's does not get in
    When cart "C1": AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 15.00 EUR}}
    Then refused: cart.currency_mismatch {cart: GBP, price: EUR}

  Scenario Outline: A line has at most 100000 units, however they got there
    Given cart "C1": AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: <there>, unit_price: 0.01 GBP}}
    When cart "C1": <more>
    Then refused: cart.too_many_units {max: 100000}

    Examples:
      | there  | more                                                                                              |
      | 100000 | AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 0.01 GBP}}          |
      | 1      | AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: 4294967295, unit_price: 0.01 GBP}} |
      | 1      | SetQuantity {sku: MUG, quantity: 100001}                                                          |

  Scenario: A cart with a hundred lines takes more of what is in it, and nothing else
    Given 100 times cart "C1": AddLine {line: {sku: S#, product: P#, title: Thing #, quantity: 1, unit_price: 1.00 GBP}}
    When cart "C1": AddLine {line: {sku: S7, product: P7, title: Thing 7, quantity: 1, unit_price: 1.00 GBP}}
    Then LineAdded {line: {sku: S7, ..}, ..}
    When cart "C1": AddLine {line: {sku: S101, product: P101, title: Thing 101, quantity: 1, unit_price: 1.00 GBP}}
    Then refused: cart.too_many_lines {max: 100}

  Scenario: Setting a quantity that is there already changes nothing
    Given cart "C1": AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}}
    When cart "C1": SetQuantity {sku: MUG, quantity: 2}
    Then nothing happens
    When cart "C1": SetQuantity {sku: MUG, quantity: 1}
    Then QuantitySet {sku: MUG, quantity: 1}

  Scenario: Taking out what is not there is fine, changing it is not
    When cart "C1": RemoveLine {sku: MUG}
    Then nothing happens
    When cart "C1": SetQuantity {sku: MUG, quantity: 1}
    Then refused: cart.no_such_line {sku: MUG}

  Scenario: A line that was taken out can be put in again
    Given cart "C1": AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}}
    When cart "C1": RemoveLine {sku: MUG}
    Then LineRemoved {sku: MUG}
    When cart "C1": AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 15.00 GBP}}
    Then LineAdded {line: {quantity: 1, ..}, ..}

  Scenario: Upper and lower case are two SKUs, and two lines
    Given cart "C1": AddLine {line: {sku: 85123a, product: P1, title: Heart, quantity: 1, unit_price: 2.55 GBP}}
    When cart "C1": AddLine {line: {sku: 85123A, product: P2, title: Lantern, quantity: 1, unit_price: 3.39 GBP}}
    Then LineAdded {line: {sku: 85123A, ..}, ..}
    And the cart "C1" reads {lines: [{sku: 85123a, quantity: 1, ..}, {sku: 85123A, quantity: 1, ..}], total: 5.94 GBP, ..}

  Scenario: Prices below zero, and sums that no amount can hold, do not add up to a total
    When cart "C1": AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: -0.01 GBP}}
    Then refused: cart.bad_total
    When cart "C1": AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 92233720368547758.07 GBP}}
    Then refused: cart.bad_total

  Scenario: A gift that costs nothing may be in the cart
    When cart "C1": AddLine {line: {sku: CARD, product: P3, title: Greeting card, quantity: 1, unit_price: 0.00 GBP}}
    Then LineAdded {line: {sku: CARD, unit_price: 0.00 GBP, ..}, ..}

  Scenario Outline: Nobody gets more than the purchase limit into a cart, however they try
    Given cart "C1": AddLine {line: {sku: PS5, product: P5, title: Console, quantity: 1, unit_price: 449.00 GBP, purchase_limit: 2}}
    When cart "C1": <attempt>
    Then refused: cart.purchase_limit {sku: PS5, limit: 2}

    Examples:
      | attempt                                                                                                                    |
      | AddLine {line: {sku: PS5, product: P5, title: Console, quantity: 2, unit_price: 449.00 GBP, purchase_limit: 2}} |
      | SetQuantity {sku: PS5, quantity: 3}                                                                                        |

  Scenario: A purchase limit that was lowered counts from the next time somebody adds a unit
    Given cart "C1": AddLine {line: {sku: PS5, product: P5, title: Console, quantity: 3, unit_price: 449.00 GBP, purchase_limit: 5}}
    When cart "C1": AddLine {line: {sku: PS5, product: P5, title: Console, quantity: 1, unit_price: 449.00 GBP, purchase_limit: 2}}
    Then refused: cart.purchase_limit {sku: PS5, limit: 2}
    When cart "C1": SetQuantity {sku: PS5, quantity: 1}
    Then QuantitySet {sku: PS5, quantity: 1}
