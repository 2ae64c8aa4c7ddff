Feature: Being told that little is left

  Background:
    Given stock of "MUG":
      | Receive         | {quantity: 10} |
      | SetReorderPoint | {units: 3}     |

  Scenario: It is told once, when what is available comes down to the reorder point
    When stock of "MUG": Reserve {reservation: O1, quantity: 6}
    Then Reserved {reservation: O1, quantity: 6}
    When stock of "MUG": Reserve {reservation: O2, quantity: 1}
    Then stock of "MUG":
      | Reserved | {reservation: O2, quantity: 1}  |
      | LowStock | {available: 3, reorder_point: 3} |
    When stock of "MUG": Reserve {reservation: O3, quantity: 1}
    Then stock of "MUG":
      | Reserved | {reservation: O3, quantity: 1} |
    And the stock "MUG" reads {available: 2, reorder_point: 3, low: true, ..}

  Scenario: It is told again after there was more
    Given stock of "MUG":
      | Reserve | {reservation: O1, quantity: 8} |
      | Receive | {quantity: 5}                  |
    When stock of "MUG": Adjust {delta: -4, reason: damaged}
    Then stock of "MUG":
      | Adjusted | {location: main, delta: -4, reason: damaged} |
      | LowStock | {available: 3, reorder_point: 3}             |

  Scenario: Handing over what was reserved makes nothing scarcer than it was
    Given stock of "MUG": Reserve {reservation: O1, quantity: 8}
    When stock of "MUG": Allocate {reservation: O1}
    Then stock of "MUG":
      | Allocated | {reservation: O1, quantity: 8, from: [{location: main, quantity: 8}]} |

  Scenario: Moving units to another place is no reason to order more
    Given stock of "MUG": Reserve {reservation: O1, quantity: 6}
    When stock of "MUG": Transfer {transfer: T1, from: main, to: shop, quantity: 9}
    Then stock of "MUG":
      | Transferred | {transfer: T1, from: main, to: shop, quantity: 9} |

  Scenario: Whoever sets a reorder point above what there is is told at once
    Given stock of "POT": Receive {quantity: 2}
    When stock of "POT": SetReorderPoint {units: 5}
    Then stock of "POT":
      | ReorderPointSet | {units: 5}                       |
      | LowStock        | {available: 2, reorder_point: 5} |
    When stock of "POT": SetReorderPoint {units: 5}
    Then nothing happens

  Scenario: Without a reorder point nobody is told anything
    Given stock of "MUG": SetReorderPoint {units: none}
    When stock of "MUG": Reserve {reservation: O1, quantity: 10}
    Then stock of "MUG":
      | Reserved | {reservation: O1, quantity: 10} |
    And the stock "MUG" reads {available: 0, reorder_point: none, low: false, ..}

  Scenario: A delivery that goes to those who wait leaves the shelf as empty as it was
    Given stock of "MUG":
      | SetPolicy | {policy: backorder {}}          |
      | Reserve   | {reservation: O1, quantity: 16} |
    When stock of "MUG": Receive {quantity: 6}
    Then stock of "MUG":
      | Received        | {location: main, quantity: 6}  |
      | BackorderFilled | {reservation: O1, quantity: 6} |

  Scenario: An order that takes the stock down to the reorder point goes through, and the shop is told
    Given cart "C1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 7, unit_price: 15.00 GBP}} |
    When cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually stock of "MUG": LowStock {available: 3, reorder_point: 3}
    And eventually payment "P1": IntentOpened
    And the stock "MUG" reads {available: 3, low: true, ..}
