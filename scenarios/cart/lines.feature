Feature: The lines of a cart

  Background:
    Given cart "C1": Opened {currency: GBP}

  Scenario: A SKU that is added again makes its line longer, at the new price, instead of a second one
    Given cart "C1": LineAdded {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}
    And stock of "MUG": Receive {quantity: 9}
    When cart "C1": AddLine {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 14.00 GBP}
    And cart "C1": CheckOut
      | order    | O1                                           |
      | payment  | P1                                           |
      | method   | card                                         |
      | delivery | {contact: Ada, address: London, country: GB} |
      | pay_by   | now + 30 minutes                             |
    Then CheckedOut {lines: [{sku: MUG, product: P1, title: Mug, quantity: 5, unit_price: 14.00 GBP}], total: 70.00 GBP, ..}

  Scenario: A command that is sent twice adds its units once
    When cart "C1": AddLine {sku: MUG, product: P1, title: "Mug, blue", quantity: 2, unit_price: 15.00 GBP}
    And the same command comes again
    Then nothing happens
    And eventually cart "C1" is exactly:
      | LineAdded | {sku: MUG, title: "Mug, blue", quantity: 2, ..} |

  Scenario: A price in another currency than the cart's does not get in
    When cart "C1": AddLine {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 15.00 EUR}
    Then refused: cart.currency_mismatch {cart: GBP, price: EUR}

  Scenario Outline: A line has at most 100000 units, however they got there
    Given cart "C1": LineAdded {sku: MUG, product: P1, title: Mug, quantity: <there>, unit_price: 0.01 GBP}
    When cart "C1": AddLine {sku: MUG, product: P1, title: Mug, quantity: <more>, unit_price: 0.01 GBP}
    Then refused: cart.too_many_units {max: 100000}

    Examples:
      | there  | more       |
      | 100000 | 1          |
      | 1      | 4294967295 |

  Scenario: A cart with a hundred lines takes more of what is in it, and nothing else
    Given 100 times cart "C1": LineAdded {sku: S#, product: P#, title: Thing #, quantity: 1, unit_price: 1.00 GBP}
    When cart "C1": AddLine {sku: S7, product: P7, title: Thing 7, quantity: 1, unit_price: 1.00 GBP}
    Then LineAdded {sku: S7, ..}
    When cart "C1": AddLine {sku: S101, product: P101, title: Thing 101, quantity: 1, unit_price: 1.00 GBP}
    Then refused: cart.too_many_lines {max: 100}

  Scenario: Setting a quantity that is there already changes nothing
    Given cart "C1": LineAdded {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}
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
    Given cart "C1": LineAdded {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}
    When cart "C1": RemoveLine {sku: MUG}
    Then LineRemoved {sku: MUG}
    When cart "C1": AddLine {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 15.00 GBP}
    Then LineAdded {quantity: 1, ..}

  Scenario: Prices below zero, and sums that no amount can hold, do not add up to a total
    When cart "C1": AddLine {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: -0.01 GBP}
    Then refused: cart.bad_total
    When cart "C1": AddLine {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 92233720368547758.07 GBP}
    Then refused: cart.bad_total
