Feature: When an order's money is taken, and when it is not

  Background:
    Given stock of "MUG": Receive {quantity: 9}
    And cart "C1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}} |

  Scenario: Cash is collected when the parcel arrives, not when it leaves
    Given cart "C1": CheckOut {order: O1, payment: P1, method: cash_on_delivery, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    When order "O1": Ship {shipment: S1, carrier: DHL, lines: [{line: 0, quantity: 2}]}
    Then Shipped {shipment: S1, ..}
    And never payment "P1": Captured
    When order "O1": Deliver {shipment: S1}
    Then Delivered {shipment: S1, ..}
    And eventually payment "P1": Captured {order: O1, amount: 30.00 GBP, ..}

  Scenario: A shop that takes money on shipment takes with each parcel what is in it
    Given cart "C1": CheckOut {order: O1, payment: P1, method: card, capture: on_shipment, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    And payment "P1": Authorize {attempt: A1, token: tok_approve}
    When order "O1": Ship {shipment: S1, carrier: DHL, lines: [{line: 0, quantity: 1}]}
    Then Shipped {shipment: S1, ..}
    And eventually payment "P1": Captured {amount: 15.00 GBP, ..}
    And fulfilment "O1" wants payment "P1": Capture {amount: 15.00 GBP, ..}
    And the payment "P1" reads {captured: 15.00 GBP, amount: 30.00 GBP, ..}

  Scenario: What the buyer cancels before it ships is never taken
    Given cart "C1": CheckOut {order: O1, payment: P1, method: card, capture: on_shipment, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    And payment "P1": Authorize {attempt: A1, token: tok_approve}
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {reason: customer_request, ..}
    And eventually payment "P1": VoidRequested {amount: 30.00 GBP, ..}
    And eventually payment "P1": Voided
    And never payment "P1": Captured

  Scenario: A gateway that answers late is in time as long as the buyer may pay
    Given cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    And payment "P1": Authorize {attempt: A1, token: tok_late}
    When 3 seconds pass
    Then eventually order "O1": Confirmed
    And eventually payment "P1": Captured {order: O1, amount: 30.00 GBP, ..}

  Scenario: A gateway that approves twice charges once
    Given cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    When payment "P1": Authorize {attempt: A1, token: tok_twice}
    And 1 minute passes
    Then eventually payment "P1" is exactly:
      | AuthorizationRequested | {order: O1, attempt: A1, token: tok_twice, amount: 30.00 GBP} |
      | Authorized             | {order: O1, attempt: A1, amount: 30.00 GBP, ..}              |
      | CaptureRequested       | {order: O1, amount: 30.00 GBP, ..}                           |
      | Captured               | {order: O1, amount: 30.00 GBP, ..}                           |

  Scenario: Money that comes for an order that was given up goes back at once
    Given cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 2 seconds}
    When payment "P1": Authorize {attempt: A1, token: tok_late}
    And 2 seconds pass
    Then eventually order "O1": Cancelled {reason: payment_timed_out, ..}
    When 1 second passes
    Then eventually payment "P1": Authorized {attempt: A1, ..}
    And eventually payment "P1": VoidRequested {amount: 30.00 GBP, ..}
    And eventually payment "P1": Voided
    And never payment "P1": CaptureRequested
    And the order "O1" reads {status: cancelled, payment_status: voided, ..}
