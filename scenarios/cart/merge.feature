Feature: A guest who logs in brings their cart along

  Background:
    Given cart "G1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}} |

  Scenario: Whoever logs in finds in their own cart what they had put into it as a guest
    Given cart "C1":
      | Open    | {customer: ada, currency: GBP}                                                  |
      | AddLine | {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}} |
    When cart "G1": MergeInto {into: C1, customer: ada}
    Then MergedInto {into: C1, customer: ada, currency: GBP, lines: [{sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}]}
    And cart "G1" wants cart "C1": TakeLines {from: G1, customer: ada, currency: GBP, lines: [{sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}]}
    And eventually cart "C1" is exactly:
      | LinesTaken | {from: G1, lines: [{sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}], left_out: []} |
    And the cart "C1" reads {status: open, customer: ada, lines: [{sku: POT, ..}, {sku: MUG, ..}], total: 50.00 GBP, ..}
    And the cart "G1" reads {status: merged, merged_into: C1, ..}

  Scenario: A customer who had no cart gets one by logging in
    When cart "G1": MergeInto {into: C1, customer: ada}
    Then MergedInto {into: C1, ..}
    And eventually cart "C1" is exactly:
      | Opened     | {customer: ada, currency: GBP}                                     |
      | LinesTaken | {from: G1, lines: [{sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}], left_out: []} |
    And the cart "C1" reads {customer: ada, total: 30.00 GBP, ..}

  Scenario: What is in both carts becomes one line, at the price that the customer was shown in their own
    Given cart "C1":
      | Open    | {customer: ada, currency: GBP}                                                  |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 13.00 GBP}} |
    When cart "G1": MergeInto {into: C1, customer: ada}
    Then MergedInto {into: C1, ..}
    And eventually cart "C1": LinesTaken {from: G1, lines: [{sku: MUG, product: P1, title: Mug, quantity: 5, unit_price: 13.00 GBP}], left_out: []}

  Scenario: A guest's cart goes into the customer's, but never beyond the purchase limit
    Given cart "G1": AddLine {line: {sku: PS5, product: P5, title: Console, quantity: 2, unit_price: 449.00 GBP, purchase_limit: 2}}
    And cart "C1":
      | Open    | {customer: ada, currency: GBP}                                                                            |
      | AddLine | {line: {sku: PS5, product: P5, title: Console, quantity: 1, unit_price: 449.00 GBP, purchase_limit: 2}} |
    When cart "G1": MergeInto {into: C1, customer: ada}
    Then MergedInto {into: C1, ..}
    And eventually cart "C1": LinesTaken {from: G1, lines: [{sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}, {sku: PS5, product: P5, title: Console, quantity: 2, unit_price: 449.00 GBP, purchase_limit: 2}], left_out: [{sku: PS5, quantity: 1}]}

  Scenario: Where the two carts know different purchase limits, the tighter one counts
    Given cart "G1": AddLine {line: {sku: PS5, product: P5, title: Console, quantity: 2, unit_price: 449.00 GBP, purchase_limit: 2}}
    And cart "C1":
      | Open    | {customer: ada, currency: GBP}                                                       |
      | AddLine | {line: {sku: PS5, product: P5, title: Console, quantity: 1, unit_price: 429.00 GBP}} |
    When cart "G1": MergeInto {into: C1, customer: ada}
    Then MergedInto {into: C1, ..}
    And eventually cart "C1": LinesTaken {left_out: [{sku: PS5, quantity: 1}], ..}
    When cart "C1": SetQuantity {sku: PS5, quantity: 3}
    Then refused: cart.purchase_limit {sku: PS5, limit: 2}

  Scenario: A full line takes what it can hold, and the rest is told
    Given cart "C1":
      | Open    | {customer: ada, currency: GBP}                                                     |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 99999, unit_price: 15.00 GBP}} |
    When cart "G1": MergeInto {into: C1, customer: ada}
    Then MergedInto {into: C1, ..}
    And eventually cart "C1": LinesTaken {lines: [{sku: MUG, product: P1, title: Mug, quantity: 100000, unit_price: 15.00 GBP}], left_out: [{sku: MUG, quantity: 1}], ..}

  Scenario: A cart with a hundred lines takes more of what it has, and leaves new things out
    Given cart "G1": AddLine {line: {sku: S7, product: P7, title: Thing 7, quantity: 1, unit_price: 1.00 GBP}}
    And cart "C1": Open {customer: ada, currency: GBP}
    And 100 times cart "C1": AddLine {line: {sku: S#, product: P#, title: Thing #, quantity: 1, unit_price: 1.00 GBP}}
    When cart "G1": MergeInto {into: C1, customer: ada}
    Then MergedInto {into: C1, ..}
    And eventually cart "C1": LinesTaken {lines: [{sku: S7, product: P7, title: Thing 7, quantity: 2, unit_price: 1.00 GBP}], left_out: [{sku: MUG, quantity: 2}], ..}

  Scenario: A cart in another currency declines, and the guest keeps theirs
    Given cart "C1": Open {customer: ada, currency: EUR}
    When cart "G1": MergeInto {into: C1, customer: ada}
    Then MergedInto {into: C1, ..}
    And eventually cart "C1": LinesDeclined {from: G1, reason: other_currency}
    And cart "C1" wants cart "G1": UndoMerge {into: C1}
    And eventually cart "G1": MergeUndone {into: C1}
    And the cart "G1" reads {status: open, merged_into: none, total: 30.00 GBP, ..}
    When cart "G1": SetQuantity {sku: MUG, quantity: 3}
    Then QuantitySet {sku: MUG, quantity: 3}

  Scenario: Nobody puts their things into somebody else's cart
    Given cart "C1": Open {customer: eve, currency: GBP}
    When cart "G1": MergeInto {into: C1, customer: ada}
    Then MergedInto {into: C1, ..}
    And eventually cart "C1": LinesDeclined {from: G1, reason: not_theirs}
    And eventually cart "G1": MergeUndone {into: C1}

  Scenario: Not even another guest's cart takes a customer's things
    Given cart "G2": Open {currency: GBP}
    When cart "G1": MergeInto {into: G2, customer: ada}
    Then MergedInto {into: G2, ..}
    And eventually cart "G2": LinesDeclined {from: G1, reason: not_theirs}
    And eventually cart "G1": MergeUndone {into: G2}

  Scenario: An order that was placed meanwhile does not grow by a login
    Given cart "C1":
      | Open    | {customer: ada, currency: GBP}                                                  |
      | AddLine | {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}} |
    And cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    When cart "G1": MergeInto {into: C1, customer: ada}
    Then MergedInto {into: C1, ..}
    And eventually cart "C1": LinesDeclined {from: G1, reason: closed}
    And eventually cart "G1": MergeUndone {into: C1}

  Scenario: A customer's cart that has expired declines
    Given cart "C1": Open {customer: ada, currency: GBP, expires_at: now + 1 hour}
    When 1 hour passes
    And cart "G1": MergeInto {into: C1, customer: ada}
    Then MergedInto {into: C1, ..}
    And eventually cart "C1": LinesDeclined {from: G1, reason: closed}
    And eventually cart "G1": MergeUndone {into: C1}

  Scenario: A cart that is put into itself is as it was
    When cart "G1": MergeInto {into: G1, customer: ada}
    Then MergedInto {into: G1, ..}
    And eventually cart "G1": LinesDeclined {from: G1, reason: closed}
    And eventually cart "G1": MergeUndone {into: G1}
    And the cart "G1" reads {status: open, total: 30.00 GBP, ..}

  Scenario: A cart goes into one other cart and into no second one
    Given cart "G1": MergeInto {into: C1, customer: ada}
    When cart "G1": MergeInto {into: C1, customer: ada}
    Then nothing happens
    When cart "G1": MergeInto {into: C2, customer: eve}
    Then refused: cart.merged {into: C1}

  Scenario Outline: What went into another cart is changed and ordered there
    Given cart "G1": MergeInto {into: C1, customer: ada}
    When cart "G1": <command>
    Then refused: cart.merged {into: C1}

    Examples:
      | command                                                                                                                           |
      | AddLine {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}}                                        |
      | RemoveLine {sku: MUG}                                                                                                             |
      | CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes} |
      | Open {currency: GBP}                                                                                                              |

  Scenario: Only a guest's cart goes into another
    Given cart "C1": Open {customer: ada, currency: GBP}
    When cart "C1": MergeInto {into: C2, customer: ada}
    Then refused: cart.not_a_guest_cart

  Scenario: A cart that was never opened goes nowhere
    When cart "G9": MergeInto {into: C1, customer: ada}
    Then refused: cart.not_open

  Scenario: What a guest brings is put in once, however often it is sent
    Given cart "G1": MergeInto {into: C1, customer: ada}
    When cart "C1": TakeLines {from: G1, customer: ada, currency: GBP, lines: [{sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}]}
    Then nothing happens

  Scenario: A customer brings the carts of two devices along
    Given cart "G2":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 15.00 GBP}} |
    And cart "G1": MergeInto {into: C1, customer: ada}
    When cart "G2": MergeInto {into: C1, customer: ada}
    Then MergedInto {into: C1, ..}
    And eventually cart "C1": LinesTaken {from: G2, lines: [{sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 15.00 GBP}], left_out: []}

  Scenario: An empty cart can be brought along too, and nothing comes of it
    Given cart "G2": Open {currency: GBP}
    And cart "C1": Open {customer: ada, currency: GBP}
    When cart "G2": MergeInto {into: C1, customer: ada}
    Then MergedInto {into: C1, lines: [], ..}
    And eventually cart "C1": LinesTaken {from: G2, lines: [], left_out: []}

  Scenario: The joint cart lasts as long as the one that would have lasted longer
    Given cart "G2": Open {currency: GBP, expires_at: now + 5 hours}
    And cart "C1": Open {customer: ada, currency: GBP, expires_at: now + 1 hour}
    And cart "G2": MergeInto {into: C1, customer: ada}
    When 4 hours pass
    Then never cart "C1": Expired
    When 1 hour passes
    Then eventually cart "C1": Expired
    And never cart "G2": Expired

  Scenario: A cart that came back from a merge still ends in its time
    Given cart "G2": Open {currency: GBP, expires_at: now + 1 hour}
    And cart "C1": Open {customer: eve, currency: GBP}
    And cart "G2": MergeInto {into: C1, customer: ada}
    When 1 hour passes
    Then eventually cart "G2": Expired

  Scenario: A cart that a login opens lasts as long as the guest's would have
    Given cart "G2": Open {currency: GBP, expires_at: now + 2 hours}
    And cart "G2": MergeInto {into: C1, customer: ada}
    When 119 minutes pass
    Then nothing happens
    When 1 minute passes
    Then eventually cart "C1": Expired
