Feature: Where units lie, and how many there are

  Background:
    Given stock of "MUG": Receive {quantity: 5}
    And stock of "MUG": Receive {quantity: 2, location: shop}

  Scenario: Goods lie in the main place unless somebody says another
    When stock of "MUG": Receive {quantity: 3, reference: PO-17}
    Then Received {location: main, quantity: 3, reference: PO-17}
    And the stock "MUG" reads {on_hand: 10, locations: {main: 8, shop: 2}, ..}

  Scenario: Moving units disturbs no reservation
    Given stock of "MUG": Reserve {reservation: O1, quantity: 7}
    When stock of "MUG": Transfer {transfer: T1, from: main, to: shop, quantity: 5}
    Then Transferred {transfer: T1, from: main, to: shop, quantity: 5}
    And the stock "MUG" reads {on_hand: 7, reserved: 7, locations: {shop: 7}, ..}
    When stock of "MUG": Allocate {reservation: O1}
    Then Allocated {reservation: O1, quantity: 7, from: [{location: shop, quantity: 7}]}

  Scenario: The same transfer again is the same move, even when the units could move twice
    Given stock of "MUG": Transfer {transfer: T1, from: main, to: shop, quantity: 2}
    When stock of "MUG": Transfer {transfer: T1, from: main, to: shop, quantity: 2}
    Then nothing happens
    When stock of "MUG": Transfer {transfer: T2, from: main, to: shop, quantity: 2}
    Then Transferred {transfer: T2, ..}

  Scenario Outline: The name of a transfer stands for one move only
    Given stock of "MUG": Transfer {transfer: T1, from: main, to: shop, quantity: 2}
    When stock of "MUG": Transfer {transfer: T1, from: <from>, to: <to>, quantity: <quantity>}
    Then refused: inventory.transfer_exists {transfer: T1}

    Examples:
      | from | to    | quantity |
      | main | shop  | 1        |
      | main | attic | 2        |
      | shop | main  | 2        |

  Scenario: No more leaves a place than lies there, whatever there is elsewhere
    When stock of "MUG": Transfer {transfer: T1, from: shop, to: main, quantity: 3}
    Then refused: inventory.insufficient_at {location: shop, on_hand: 2, requested: 3}
    When stock of "MUG": Transfer {transfer: T1, from: attic, to: main, quantity: 1}
    Then refused: inventory.insufficient_at {location: attic, on_hand: 0, requested: 1}

  Scenario: From a place to itself nothing can be moved
    When stock of "MUG": Transfer {transfer: T1, from: shop, to: shop, quantity: 1}
    Then refused: inventory.same_location

  Scenario: An order is served from the main place first, then from the others by their names
    Given stock of "MUG": Receive {quantity: 2, location: attic}
    And stock of "MUG": Reserve {reservation: O1, quantity: 8}
    When stock of "MUG": Allocate {reservation: O1}
    Then Allocated {reservation: O1, quantity: 8, from: [{location: main, quantity: 5}, {location: attic, quantity: 2}, {location: shop, quantity: 1}]}

  Scenario: Whoever counts a place corrects the book for that place alone
    When stock of "MUG": Count {location: shop, counted: 4, expected: 2, reference: Q1}
    Then Counted {location: shop, was: 2, counted: 4, reference: Q1}
    And the stock "MUG" reads {on_hand: 9, locations: {main: 5, shop: 4}, ..}

  Scenario: A count that something has moved under does not hold
    Given stock of "MUG":
      | Reserve  | {reservation: O1, quantity: 1} |
      | Allocate | {reservation: O1}              |
    When stock of "MUG": Count {counted: 3, expected: 5}
    Then refused: inventory.count_changed {expected: 5, on_hand: 4}

  Scenario: A count that finds what is in the book is no news
    When stock of "MUG": Count {counted: 5, expected: 5}
    Then nothing happens

  Scenario: Whoever does not say what they expected is believed
    When stock of "MUG": Count {counted: 3}
    Then Counted {location: main, was: 5, counted: 3}

  Scenario: A count that leaves less than is promised has to be settled with the buyers first
    Given stock of "MUG": Reserve {reservation: O1, quantity: 6}
    When stock of "MUG": Count {counted: 3}
    Then refused: inventory.below_reserved {delta: -2, on_hand: 7, reserved: 6}
    When stock of "MUG": Count {counted: 4}
    Then Counted {location: main, was: 5, counted: 4}

  Scenario: No more breaks at a place than lies there
    When stock of "MUG": Adjust {delta: -3, reason: damaged, location: shop}
    Then refused: inventory.below_zero {location: shop, on_hand: 2}
    When stock of "MUG": Adjust {delta: -2, reason: damaged, location: shop}
    Then Adjusted {location: shop, delta: -2, reason: damaged}

  Scenario: What turns up in a place that nobody knew of is on sale at once
    Given stock of "MUG": Reserve {reservation: O1, quantity: 7}
    When stock of "MUG": Adjust {delta: 2, reason: found, location: attic, reference: behind the boiler}
    Then Adjusted {location: attic, delta: 2, reason: found, reference: behind the boiler}
    When stock of "MUG": Reserve {reservation: O2, quantity: 2}
    Then Reserved {reservation: O2, quantity: 2}

  @slow
  Scenario: The units of a SKU lie in at most a thousand places, and an empty place is none
    Given 998 times stock of "MUG": Receive {quantity: 1, location: L#}
    When stock of "MUG": Receive {quantity: 1, location: attic}
    Then refused: inventory.too_many_locations {max: 1000}
    When stock of "MUG": Transfer {transfer: T1, from: L1, to: main, quantity: 1}
    Then Transferred {transfer: T1, ..}
    When stock of "MUG": Receive {quantity: 1, location: attic}
    Then Received {location: attic, quantity: 1}
