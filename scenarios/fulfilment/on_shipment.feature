Feature: Money that is taken when the goods leave

  Background:
    Given stock of "MUG": Receive {quantity: 10}
    And stock of "POT": Receive {quantity: 5}
    And cart "C1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 10.00 GBP}} |
      | AddLine | {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}} |
    And cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, capture: on_shipment, pay_by: now + 30 minutes}

  Scenario: A confirmed order is held on the card, and nothing is taken while it waits
    When payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested
    And eventually order "O1": Confirmed
    And eventually fulfilment "O1" is exactly:
      | Started        | {order: O1, ..}                                   |
      | BalanceChanged | {due: 0.00 GBP, keep: 50.00 GBP, complete: false} |
    When 3 days pass
    Then never payment "P1": CaptureRequested
    And the order "O1" reads {status: confirmed, payment_status: authorized, ..}

  Scenario: Each parcel takes what it is worth
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 2}]}
    Then Shipped {value: 20.00 GBP, ..}
    And fulfilment "O1" wants payment "P1": Capture {capture: due-1, amount: 20.00 GBP}
    And eventually payment "P1": Captured {amount: 20.00 GBP, ..}
    When order "O1": Ship {shipment: S2, carrier: Post, lines: [{line: 0, quantity: 1}, {line: 1, quantity: 1}]}
    Then Shipped {value: 30.00 GBP, complete: true, ..}
    And fulfilment "O1" wants payment "P1": Capture {capture: due-2, amount: 30.00 GBP}
    And eventually payment "P1": Captured {amount: 30.00 GBP, ..}
    And never payment "P1": VoidRequested
    And the payment "P1" reads {status: captured, captured: 50.00 GBP, ..}

  Scenario: What is cancelled after the first parcel is never taken, but let go at the end
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 2}]}
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 1}, {line: 1, quantity: 1}]}
    Then LinesCancelled {value: 30.00 GBP, complete: true, ..}
    And eventually fulfilment "O1": ReleaseDue {payment: P1, at: now}
    And eventually fulfilment "O1": ReleaseNoted {payment: P1}
    And fulfilment "O1" wants payment "P1": Void
    And eventually payment "P1": VoidRequested {amount: 30.00 GBP, ..}
    And eventually payment "P1": Voided
    And never payment "P1": Refunded
    And the payment "P1" reads {captured: 20.00 GBP, refunded: 0.00 GBP, released: 30.00 GBP, ..}

  Scenario: What is cancelled before the first parcel waits for the end to be let go
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 1}]}
    Then LinesCancelled {value: 10.00 GBP, ..}
    And eventually fulfilment "O1" is exactly:
      | BalanceChanged | {due: 0.00 GBP, keep: 40.00 GBP, complete: false} |
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 2}, {line: 1, quantity: 1}]}
    Then Shipped {value: 40.00 GBP, complete: true, ..}
    And eventually payment "P1": Captured {amount: 40.00 GBP, ..}
    And eventually payment "P1": VoidRequested {amount: 10.00 GBP, ..}

  Scenario: An order that is cancelled before anything left takes nothing
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {confirmed: true, ..}
    And eventually payment "P1" is exactly:
      | VoidRequested | {amount: 50.00 GBP, ..} |
      | Voided        | {order: O1}             |
    And the order "O1" reads {status: cancelled, payment_status: voided, ..}

  Scenario: Money that staff took early is not taken again when the parcel leaves
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}, {line: 1, quantity: 1}]}
    Then Shipped {value: 50.00 GBP, ..}
    And never payment "P1": CaptureRequested
    And never payment "P1": Refunded

  Scenario: Money that staff took early is given back for what is cancelled
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1}
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 1, quantity: 1}]}
    Then LinesCancelled {value: 20.00 GBP, ..}
    And eventually payment "P1": Refunded {amount: 20.00 GBP, ..}
    And the payment "P1" reads {captured: 50.00 GBP, refunded: 20.00 GBP, ..}

  Scenario: The postage is taken with the first parcel
    Given stock of "CUP": Receive {quantity: 2}
    And cart "C2":
      | Open    | {currency: GBP}                                                                |
      | AddLine | {line: {sku: CUP, product: P3, title: Cup, quantity: 2, unit_price: 6.00 GBP}} |
    And cart "C2": CheckOut
      | order    | O2                                                                                                                                                                                                   |
      | payment  | P2                                                                                                                                                                                                   |
      | method   | card                                                                                                                                                                                                 |
      | capture  | on_shipment                                                                                                                                                                                          |
      | delivery | {contact: Ada, address: London, country: GB}                                                                                                                                                         |
      | pay_by   | now + 30 minutes                                                                                                                                                                                     |
      | quote    | {prices_include_tax: true, lines: [{rate_ppm: 200000, tax: 2.00 GBP}], shipping: {code: POST, title: Royal Mail, price: 3.00 GBP, rate_ppm: 200000, tax: 0.50 GBP}, tax: 2.50 GBP, total: 15.00 GBP} |
    And payment "P2": Authorize {attempt: A1, token: tok_approve}
    When order "O2": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 1}]}
    Then Shipped {value: 9.00 GBP, ..}
    And eventually payment "P2": Captured {amount: 9.00 GBP, ..}
    When order "O2": Ship {shipment: S2, carrier: Post, lines: [{line: 0, quantity: 1}]}
    Then Shipped {value: 6.00 GBP, ..}
    And eventually payment "P2": Captured {amount: 6.00 GBP, ..}
