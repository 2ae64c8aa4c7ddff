Feature: Reservations end in their time

  Background:
    Given stock of "MUG": Receive {quantity: 5}
    And stock of "MUG": Reserve {reservation: O1, quantity: 5, expires_at: now + 903 seconds}

  Scenario: A hold ends by itself within ten seconds of its time, whether anybody wants the units or not
    When 909 seconds pass
    Then nothing happens
    When 1 second passes
    Then eventually stock of "MUG": Expired {reservation: O1, quantity: 5, short: 0}
    And the stock "MUG" reads {on_hand: 5, reserved: 0, available: 5, ..}

  Scenario: A hold whose time is over gives way at once when somebody else wants the units
    When 903 seconds pass
    And stock of "MUG": Reserve {reservation: O2, quantity: 1}
    Then stock of "MUG":
      | Expired  | {reservation: O1, quantity: 5, short: 0} |
      | Reserved | {reservation: O2, quantity: 1}           |

  Scenario: A hold whose time is over still counts as long as nobody has taken the units
    When 904 seconds pass
    And stock of "MUG": Allocate {reservation: O1}
    Then Allocated {reservation: O1, quantity: 5, ..}
    When 1 hour passes
    Then nothing happens

  Scenario: A hold that has ended is not handed over
    When 910 seconds pass
    And stock of "MUG": Allocate {reservation: O1}
    Then refused: inventory.reservation_missing {reservation: O1}

  Scenario: A buyer gets more time once, and not twice
    When stock of "MUG": Extend {reservation: O1, expires_at: now + 30 minutes}
    Then Extended {reservation: O1, expires_at: now + 30 minutes}
    When stock of "MUG": Extend {reservation: O1, expires_at: now + 45 minutes}
    Then refused: inventory.already_extended
    When 20 minutes pass
    Then nothing happens
    When 10 minutes pass
    Then eventually stock of "MUG": Expired {reservation: O1, ..}

  Scenario: Asking again for the time that one has got is nothing new
    Given stock of "MUG": Extend {reservation: O1, expires_at: now + 30 minutes}
    When stock of "MUG": Extend {reservation: O1, expires_at: now + 30 minutes}
    Then nothing happens

  Scenario: Nobody loses time by asking for more
    When stock of "MUG": Extend {reservation: O1, expires_at: now + 5 minutes}
    Then nothing happens
    When 10 minutes pass
    Then nothing happens

  Scenario: A hold without an end needs no more time
    Given stock of "POT":
      | Receive | {quantity: 1}                  |
      | Reserve | {reservation: O2, quantity: 1} |
    When stock of "POT": Extend {reservation: O2, expires_at: now + 30 minutes}
    Then nothing happens
    When 52 weeks pass
    Then never stock of "POT": Expired

  Scenario: Whoever asks for more time when theirs is over comes too late
    When 903 seconds pass
    And stock of "MUG": Extend {reservation: O1, expires_at: now + 30 minutes}
    Then refused: inventory.reservation_expired {expired_at: 2026-01-01T00:15:03Z}
    When 7 seconds pass
    And stock of "MUG": Extend {reservation: O1, expires_at: now + 30 minutes}
    Then refused: inventory.reservation_missing {reservation: O1}

  Scenario: The name of a hold that has ended can hold units again
    When 910 seconds pass
    And stock of "MUG": Reserve {reservation: O1, quantity: 3}
    Then Reserved {reservation: O1, quantity: 3}

  Scenario: Holds that end within the same ten seconds end together, the earliest first
    Given stock of "POT":
      | Receive | {quantity: 9}                                                |
      | Reserve | {reservation: B, quantity: 1, expires_at: now + 61 seconds} |
      | Reserve | {reservation: A, quantity: 1, expires_at: now + 69 seconds} |
      | Reserve | {reservation: C, quantity: 1, expires_at: now + 71 seconds} |
    When 70 seconds pass
    Then eventually stock of "POT" is exactly:
      | Expired | {reservation: B, quantity: 1, short: 0} |
      | Expired | {reservation: A, quantity: 1, short: 0} |

  @slow
  Scenario: When more than a thousand holds end at once, the rest of them ends ten seconds later
    Given stock of "TOY": Receive {quantity: 1001}
    And 1001 times stock of "TOY": Reserve {reservation: R#, quantity: 1, expires_at: now + 15 minutes}
    When 15 minutes pass
    Then eventually stock of "TOY": Expired {reservation: R1, ..}
    And never stock of "TOY": Expired {reservation: R999, ..}
    When 10 seconds pass
    Then eventually stock of "TOY": Expired {reservation: R999, ..}
