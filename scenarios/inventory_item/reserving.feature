Feature: Stock that is promised to somebody

  Background:
    Given stock of "MUG": Receive {quantity: 5}

  Scenario: What is reserved cannot be reserved again
    When stock of "MUG": Reserve {reservation: O1, quantity: 4}
    Then Reserved {reservation: O1, quantity: 4}
    When stock of "MUG": Reserve {reservation: O2, quantity: 2}
    Then refused: inventory.insufficient {requested: 2, available: 1}
    And the stock "MUG" reads {on_hand: 5, reserved: 4, available: 1, ..}

  Scenario: Reserving the same again is one reservation; another quantity under its name is a mistake
    Given stock of "MUG": Reserve {reservation: O1, quantity: 2}
    When stock of "MUG": Reserve {reservation: O1, quantity: 2}
    Then nothing happens
    When stock of "MUG": Reserve {reservation: O1, quantity: 3}
    Then refused: inventory.reservation_exists {reservation: O1, quantity: 2}

  Scenario: Nothing can be had of a SKU that never came in
    When stock of "POT": Reserve {reservation: O1, quantity: 1}
    Then refused: inventory.insufficient {requested: 1, available: 0}

  Scenario: Units that were released are free again, once
    Given stock of "MUG": Reserve {reservation: O1, quantity: 5}
    When stock of "MUG": Release {reservation: O1}
    Then Released {reservation: O1, quantity: 5, short: 0}
    When stock of "MUG": Release {reservation: O1}
    Then nothing happens
    When stock of "MUG": Reserve {reservation: O2, quantity: 5}
    Then Reserved {reservation: O2, quantity: 5}

  Scenario: Only what is held can be handed over
    When stock of "MUG": Allocate {reservation: O1}
    Then refused: inventory.reservation_missing {reservation: O1}

  Scenario: What was handed over is gone, and cannot be handed over twice
    Given stock of "MUG": Reserve {reservation: O1, quantity: 2}
    When stock of "MUG": Allocate {reservation: O1}
    Then Allocated {reservation: O1, quantity: 2, from: [{location: main, quantity: 2}]}
    And the stock "MUG" reads {on_hand: 3, reserved: 0, available: 3, ..}
    When stock of "MUG": Allocate {reservation: O1}
    Then refused: inventory.reservation_missing {reservation: O1}

  Scenario: Handing over that is told twice under one id takes the units once
    Given stock of "MUG": Reserve {reservation: O1, quantity: 2}
    When stock of "MUG": Allocate {reservation: O1}
    And the same command comes again
    Then nothing happens

  Scenario: A count cannot be corrected to less than is promised
    Given stock of "MUG": Reserve {reservation: O1, quantity: 4}
    When stock of "MUG": Adjust {delta: -2, reason: damaged}
    Then refused: inventory.below_reserved {delta: -2, on_hand: 5, reserved: 4}
    When stock of "MUG": Adjust {delta: -1, reason: damaged}
    Then Adjusted {delta: -1, reason: damaged, location: main}

  Scenario: There is a limit to what one SKU can count
    Given 232 times stock of "MUG": Receive {quantity: 4294967295}
    When stock of "MUG": Receive {quantity: 4294967295}
    Then refused: inventory.too_much {max: 1000000000000}
    When stock of "MUG": Receive {quantity: 1}
    Then Received {location: main, quantity: 1}

  Scenario: Calling off an allocation gives back what is held, or takes back what has left
    Given stock of "MUG":
      | Reserve  | {reservation: O1, quantity: 2} |
      | Reserve  | {reservation: O2, quantity: 2} |
      | Allocate | {reservation: O2}              |
    When stock of "MUG": PutBack {reservation: O1, quantity: 2}
    Then Released {reservation: O1, quantity: 2, short: 0}
    When stock of "MUG": PutBack {reservation: O2, quantity: 2, reference: O2}
    Then Adjusted {location: main, delta: 2, reason: returned, reference: O2}
