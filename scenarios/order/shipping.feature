Feature: Orders leave the house, in one part or in several

  Background:
    Given order "O1": Place
      | source    | {cart: C1}                                                                                         |
      | lines     | [{sku: MUG, quantity: 3, unit_price: 10.00 GBP}, {sku: POT, quantity: 1, unit_price: 20.00 GBP}] |
      | charges   | [{code: POST, quantity: 1, unit_amount: 4.50 GBP}]                                                 |
      | placed_at | now                                                                                                |
    And order "O1": Confirm

  Scenario: The first parcel takes the postage along, later ones only their goods
    When order "O1": Ship {shipment: S1, carrier: Post, tracking: PX1, lines: [{line: 0, quantity: 2}]}
    Then Shipped {shipment: S1, carrier: Post, tracking: PX1, lines: [{line: 0, quantity: 2}], value: 24.50 GBP, complete: false}
    And the order "O1" reads {status: partially_shipped, ..}
    When order "O1": Ship {shipment: S2, carrier: Post, lines: [{line: 0, quantity: 1}, {line: 1, quantity: 1}]}
    Then Shipped {shipment: S2, value: 30.00 GBP, complete: true, ..}
    And the order "O1" reads {status: shipped, ..}

  Scenario: No more leaves the house than was ordered
    Given order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 2}]}
    When order "O1": Ship {shipment: S2, carrier: Post, lines: [{line: 0, quantity: 2}]}
    Then refused: order.too_many_units {line: 0, left: 1}

  Scenario: A line that is named twice in a parcel counts with all its units
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 2}, {line: 0, quantity: 2}]}
    Then refused: order.too_many_units {line: 0, left: 3}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 2}, {line: 0, quantity: 1}]}
    Then Shipped {lines: [{line: 0, quantity: 3}], ..}

  Scenario: A parcel holds something that the order has
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 2, quantity: 1}]}
    Then refused: order.no_such_line {line: 2}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: []}
    Then refused: order.empty

  Scenario: A parcel that the packer's scanner sends twice leaves once
    Given order "O1": Ship {shipment: S1, carrier: Post, tracking: PX1, lines: [{line: 0, quantity: 2}]}
    When order "O1": Ship {shipment: S1, carrier: Post, tracking: PX1, lines: [{line: 0, quantity: 2}]}
    Then nothing happens
    When order "O1": Ship {shipment: S1, carrier: Post, tracking: PX1, lines: [{line: 0, quantity: 1}]}
    Then refused: order.shipment_exists {shipment: S1}

  Scenario: A parcel that was given to another carrier is told once, and its first label is still recognised
    Given order "O1": Ship {shipment: S1, carrier: Post, tracking: PX1, lines: [{line: 0, quantity: 3}]}
    When order "O1": ChangeTracking {shipment: S1, carrier: Courier, tracking: C77}
    Then TrackingChanged {shipment: S1, carrier: Courier, tracking: C77}
    And the order "O1" reads {shipments: [{id: S1, carrier: Courier, tracking: C77, delivered: false, ..}], ..}
    When order "O1": ChangeTracking {shipment: S1, carrier: Courier, tracking: C77}
    Then nothing happens
    When order "O1": Ship {shipment: S1, carrier: Post, tracking: PX1, lines: [{line: 0, quantity: 3}]}
    Then nothing happens

  Scenario: A carrier that says the same again says nothing new, and nothing at all of what has arrived
    Given order "O1": Ship {shipment: S1, carrier: Post, tracking: PX1, lines: [{line: 0, quantity: 3}]}
    When order "O1": RecordTransit {shipment: S1, transit: in_transit}
    Then TransitNoted {shipment: S1, transit: in_transit}
    When order "O1": RecordTransit {shipment: S1, transit: in_transit}
    Then nothing happens
    When order "O1": RecordTransit {shipment: S1, transit: exception}
    Then TransitNoted {shipment: S1, transit: exception}
    And the order "O1" reads {shipments: [{id: S1, transit: exception, delivered: false, ..}], ..}
    When order "O1": Deliver {shipment: S1}
    And order "O1": RecordTransit {shipment: S1, transit: in_transit}
    Then nothing happens

  Scenario: Only what was sent can be tracked or arrive
    When order "O1": ChangeTracking {shipment: S9, carrier: Courier, tracking: C77}
    Then refused: order.no_such_shipment {shipment: S9}
    When order "O1": Deliver {shipment: S9}
    Then refused: order.no_such_shipment {shipment: S9}

  Scenario: An order has arrived when everything that was to be sent has
    Given order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}]}
    When order "O1": Deliver {shipment: S1}
    Then Delivered {shipment: S1, value: 34.50 GBP, complete: false}
    And the order "O1" reads {status: partially_shipped, ..}
    When order "O1": Ship {shipment: S2, carrier: Post, lines: [{line: 1, quantity: 1}]}
    And order "O1": Deliver {shipment: S2}
    Then Delivered {shipment: S2, value: 20.00 GBP, complete: true}
    And the order "O1" reads {status: delivered, ..}
    When order "O1": Deliver {shipment: S2}
    Then nothing happens

  Scenario: The second parcel arriving first does not complete the order
    Given order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}]}
    And order "O1": Ship {shipment: S2, carrier: Post, lines: [{line: 1, quantity: 1}]}
    When order "O1": Deliver {shipment: S2}
    Then Delivered {shipment: S2, complete: false, ..}
    And the order "O1" reads {status: partially_delivered, ..}
    When order "O1": Deliver {shipment: S1}
    Then Delivered {shipment: S1, complete: true, ..}

  Scenario: An order is not sent in more than a thousand parcels
    Given order "O2": Place {source: {cart: C2}, lines: [{sku: SCREW, quantity: 2000, unit_price: 0.01 GBP}], placed_at: now}
    And order "O2": Confirm
    And 1000 times order "O2": Ship {shipment: S#, carrier: Post, lines: [{line: 0, quantity: 1}]}
    When order "O2": Ship {shipment: S1001, carrier: Post, lines: [{line: 0, quantity: 1}]}
    Then refused: order.too_many_steps {max: 1000}
