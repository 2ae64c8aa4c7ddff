Feature: Stock that is promised to somebody

  Background:
    Given stock of "MUG": Receive {quantity: 5}

  Scenario: What is reserved cannot be reserved again
    When stock of "MUG": Reserve {reservation: O1, quantity: 4}
    Then Reserved {reservation: O1, quantity: 4}
    When stock of "MUG": Reserve {reservation: O2, quantity: 2}
    Then refused: inventory.insufficient {requested: 2, available: 1}

  Scenario: Reserving the same again is one reservation; another quantity under its name is a mistake
    Given stock of "MUG": Reserve {reservation: O1, quantity: 2}
    When stock of "MUG": Reserve {reservation: O1, quantity: 2}
    Then nothing happens
    When stock of "MUG": Reserve {reservation: O1, quantity: 3}
    Then refused: inventory.reservation_exists {reservation: O1, quantity: 2}

  Scenario: A hold that has run out gives way when somebody else wants the units
    Given stock of "MUG": Reserve {reservation: O1, quantity: 5, expires_at: now + 15 minutes}
    When 15 minutes pass
    And stock of "MUG": Reserve {reservation: O2, quantity: 1}
    Then stock of "MUG":
      | Expired  | {reservation: O1, quantity: 5} |
      | Reserved | {reservation: O2, quantity: 1} |

  Scenario: Units that were released are free again, once
    Given stock of "MUG": Reserve {reservation: O1, quantity: 5}
    When stock of "MUG": Release {reservation: O1}
    Then Released {reservation: O1, quantity: 5}
    When stock of "MUG": Release {reservation: O1}
    Then nothing happens
    When stock of "MUG": Reserve {reservation: O2, quantity: 5}
    Then Reserved {reservation: O2, quantity: 5}

  Scenario: Only what is held can be handed over
    When stock of "MUG": Allocate {reservation: O1}
    Then refused: inventory.reservation_missing {reservation: O1}

  Scenario: A count cannot be corrected to less than is promised
    Given stock of "MUG": Reserve {reservation: O1, quantity: 4}
    When stock of "MUG": Adjust {delta: -2, reason: damaged}
    Then refused: inventory.below_reserved {delta: -2, on_hand: 5, reserved: 4}
    When stock of "MUG": Adjust {delta: -1, reason: damaged}
    Then Adjusted {delta: -1, reason: damaged, ..}

  Scenario: There is a limit to what one SKU can count
    Given 232 times stock of "MUG": Receive {quantity: 4294967295}
    When stock of "MUG": Receive {quantity: 4294967295}
    Then refused: inventory.too_much {max: 1000000000000}
    When stock of "MUG": Receive {quantity: 1}
    Then Received {quantity: 1, ..}
