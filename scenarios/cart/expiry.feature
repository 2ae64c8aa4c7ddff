Feature: Carts that nobody touches come to an end

  Scenario: A forgotten cart is closed at the first full hour after its time, and not before
    Given cart "C1": Open {currency: GBP, expires_at: now + 90 minutes}
    When 119 minutes pass
    Then nothing happens
    When 1 minute passes
    Then eventually cart "C1": Expired
    And the cart "C1" reads {status: expired, ..}

  Scenario Outline: Whoever puts something into a cart, or changes how much, keeps it for longer
    Given cart "C1":
      | Open    | {currency: GBP, expires_at: now + 1 hour}                                       |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}} |
    And cart "C1": <command>
    When 2 hours pass
    Then nothing happens
    When 1 hour passes
    Then eventually cart "C1": Expired

    Examples:
      | command                                                                                                                 |
      | AddLine {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}, expires_at: now + 3 hours} |
      | SetQuantity {sku: MUG, quantity: 1, expires_at: now + 3 hours}                                                          |

  Scenario: The end of a cart never moves closer
    Given cart "C1": Open {currency: GBP, expires_at: now + 2 hours}
    When cart "C1": AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}, expires_at: now + 1 hour}
    Then LineAdded {line: {sku: MUG, ..}, expires_at: none}
    When 1 hour passes
    Then nothing happens

  Scenario: Taking something out does not keep a cart any longer
    Given cart "C1":
      | Open    | {currency: GBP, expires_at: now + 1 hour}                                       |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}} |
    And cart "C1": RemoveLine {sku: MUG}
    When 1 hour passes
    Then eventually cart "C1": Expired

  Scenario Outline: With an expired cart nothing can be done any more: the buyer takes a new one
    Given cart "C1":
      | Open    | {currency: GBP, expires_at: now + 1 hour}                                       |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}} |
    When 1 hour passes
    And cart "C1": <command>
    Then refused: cart.expired {expired_at: 2026-01-01T01:00:00Z}

    Examples:
      | command                                                                                                                                                         |
      | Open {currency: GBP}                                                                                                                                            |
      | AddLine {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}, expires_at: now + 3 hours}                                         |
      | SetQuantity {sku: MUG, quantity: 1}                                                                                                                             |
      | RemoveLine {sku: MUG}                                                                                                                                           |
      | AcceptPrices {prices: []}                                                                                                                                       |
      | MergeInto {into: C2, customer: ada}                                                                                                                             |
      | CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes} |

  Scenario: A cart whose time is over is not ordered, even before anybody has closed it
    Given cart "C1":
      | Open    | {currency: GBP, expires_at: now + 30 minutes}                                   |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}} |
    When 30 minutes pass
    And cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes, now: now}
    Then refused: cart.expired {expired_at: 2026-01-01T00:30:00Z}
    And never cart "C1": Expired

  Scenario: A cart that became an order in time does not expire afterwards
    Given cart "C1":
      | Open    | {currency: GBP, expires_at: now + 1 hour}                                       |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}} |
    And cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes, now: now}
    When 1 day passes
    Then never cart "C1": Expired

  Scenario: A cart that was opened without an end waits for ever
    Given cart "C1": Open {customer: ada, currency: GBP}
    When 520 weeks pass
    Then nothing happens

  Scenario: Ending a cart before its time is not up to anybody
    Given cart "C1": Open {currency: GBP, expires_at: now + 1 hour}
    When cart "C1": Expire {now: now + 59 minutes}
    Then nothing happens
