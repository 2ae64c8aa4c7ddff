Feature: The lines of a cart

  Background:
    Given cart "C1": Opened {currency: GBP}

  Scenario: A SKU that is added again makes its line longer instead of a second one
    Given cart "C1": LineAdded {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}
    When cart "C1": AddLine {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 14.00 GBP}
    Then LineAdded {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 14.00 GBP}

  Scenario: The same command sent twice adds its units once
    When cart "C1": AddLine
      | sku        | MUG       |
      | product    | P1        |
      | title      | Mug, blue |
      | quantity   | 2         |
      | unit_price | 15.00 GBP |
    And the same command comes again
    Then nothing happens
    And eventually cart "C1" is exactly:
      | LineAdded | {sku: MUG, quantity: 2, ..} |

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
