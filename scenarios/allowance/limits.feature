Feature: One customer buys no more of a limited SKU than they may, over all their orders

  Scenario: The units of all orders count together
    Given allowance "ada:PS5": Claim {order: O1, quantity: 2, limit: 3}
    When allowance "ada:PS5": Claim {order: O2, quantity: 2, limit: 3}
    Then refused: allowance.exceeded {limit: 3, used: 2, requested: 2}
    When allowance "ada:PS5": Claim {order: O2, quantity: 1, limit: 3}
    Then Claimed {order: O2, quantity: 1}

  Scenario: Nobody buys more than the limit at once
    When allowance "ada:PS5": Claim {order: O1, quantity: 4, limit: 3}
    Then refused: allowance.exceeded {limit: 3, used: 0, requested: 4}

  Scenario: One order counts once, and for what it said first
    Given allowance "ada:PS5": Claim {order: O1, quantity: 2, limit: 3}
    When allowance "ada:PS5": Claim {order: O1, quantity: 2, limit: 3}
    Then nothing happens
    When allowance "ada:PS5": Claim {order: O1, quantity: 3, limit: 3}
    Then refused: allowance.already_claimed {quantity: 2}

  Scenario: What is bought no more may be bought again
    Given allowance "ada:PS5":
      | Claim    | {order: O1, quantity: 3, limit: 3} |
      | GiveBack | {order: O1, quantity: 1}           |
    When allowance "ada:PS5": Claim {order: O2, quantity: 2, limit: 3}
    Then refused: allowance.exceeded {limit: 3, used: 2, requested: 2}
    When allowance "ada:PS5": Claim {order: O2, quantity: 1, limit: 3}
    Then Claimed {order: O2, quantity: 1}

  Scenario: No more is given back than counts, and then nothing
    Given allowance "ada:PS5": Claim {order: O1, quantity: 2, limit: 3}
    When allowance "ada:PS5": GiveBack {order: O1, quantity: 5}
    Then GivenBack {order: O1, quantity: 2}
    When allowance "ada:PS5": GiveBack {order: O1}
    Then nothing happens

  Scenario: What an order never claimed it cannot give back
    Given allowance "ada:PS5": Claim {order: O1, quantity: 2, limit: 3}
    When allowance "ada:PS5": GiveBack {order: O2}
    Then nothing happens

  Scenario: A claim that was given back is not made again by a message that comes late
    Given allowance "ada:PS5":
      | Claim    | {order: O1, quantity: 3, limit: 3} |
      | GiveBack | {order: O1}                        |
    When allowance "ada:PS5": Claim {order: O1, quantity: 3, limit: 3}
    Then nothing happens
    When allowance "ada:PS5": Claim {order: O2, quantity: 3, limit: 3}
    Then Claimed {order: O2, quantity: 3}

  Scenario: A limit that was lowered takes nothing away, and lets nothing more through
    Given allowance "ada:PS5": Claim {order: O1, quantity: 3, limit: 3}
    When allowance "ada:PS5": Claim {order: O2, quantity: 1, limit: 2}
    Then refused: allowance.exceeded {limit: 2, used: 3, requested: 1}

  Scenario: A limit that was raised counts from the next order on
    Given allowance "ada:PS5": Claim {order: O1, quantity: 3, limit: 3}
    When allowance "ada:PS5": Claim {order: O2, quantity: 2, limit: 5}
    Then Claimed {order: O2, quantity: 2}
