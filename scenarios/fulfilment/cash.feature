Feature: Cash is collected at the door

  Background:
    Given stock of "MUG": Receive {quantity: 10}
    And stock of "POT": Receive {quantity: 5}
    And cart "C1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 10.00 GBP}} |
      | AddLine | {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}} |
    And cart "C1": CheckOut {order: O1, payment: P1, method: cash_on_delivery, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}

  Scenario: A parcel that has left is not paid yet, one that has arrived is
    When order "O1": Ship {shipment: S1, carrier: Courier, lines: [{line: 0, quantity: 3}, {line: 1, quantity: 1}]}
    Then Shipped
    And never payment "P1": Captured
    When order "O1": Deliver {shipment: S1}
    Then Delivered {value: 50.00 GBP, complete: true, ..}
    And fulfilment "O1" wants payment "P1": Capture {capture: due-1, amount: 50.00 GBP}
    And eventually payment "P1": Captured {amount: 50.00 GBP, ..}
    And the order "O1" reads {status: delivered, payment_status: captured, ..}

  Scenario: Each parcel is paid at its own door
    Given order "O1": Ship {shipment: S1, carrier: Courier, lines: [{line: 0, quantity: 3}]}
    And order "O1": Ship {shipment: S2, carrier: Courier, lines: [{line: 1, quantity: 1}]}
    When order "O1": Deliver {shipment: S2}
    Then Delivered {value: 20.00 GBP, ..}
    And eventually payment "P1": Captured {amount: 20.00 GBP, ..}
    When order "O1": Deliver {shipment: S1}
    Then Delivered {value: 30.00 GBP, ..}
    And eventually payment "P1": Captured {amount: 30.00 GBP, ..}

  Scenario: The parcel that was paid stays paid when another one is refused at the door
    Given order "O1": Ship {shipment: S1, carrier: Courier, lines: [{line: 0, quantity: 3}]}
    And order "O1": Ship {shipment: S2, carrier: Courier, lines: [{line: 1, quantity: 1}]}
    And order "O1": Deliver {shipment: S2}
    And order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 3}], reason: refused at the door}
    And order "O1": ApproveReturn {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 3, disposition: restock}], issued_at: now}
    Then ReturnReceived {value: 30.00 GBP, delivered: 0.00 GBP, ..}
    And never payment "P1": Refunded
    And eventually order "O1": ReturnRefunded {return_id: R1, amount: 0.00 GBP}

  Scenario: Nobody pays at the door for what was cancelled
    Given order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 2}]}
    And order "O1": Ship {shipment: S1, carrier: Courier, lines: [{line: 0, quantity: 1}, {line: 1, quantity: 1}]}
    When order "O1": Deliver {shipment: S1}
    Then Delivered {value: 30.00 GBP, ..}
    And eventually payment "P1" is exactly:
      | Captured | {amount: 30.00 GBP, ..} |

  Scenario: A cash order that is cancelled closes its payment without a penny moved
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {confirmed: true, ..}
    And eventually payment "P1" is exactly:
      | Voided |
    And eventually stock of "MUG": Adjusted {delta: 3, ..}

  Scenario: Cash that was paid at the door is given back for what comes back
    Given order "O1": Ship {shipment: S1, carrier: Courier, lines: [{line: 0, quantity: 3}, {line: 1, quantity: 1}]}
    And order "O1": Deliver {shipment: S1}
    And order "O1": RequestReturn {return_id: R1, lines: [{line: 1, quantity: 1}], reason: cracked}
    And order "O1": ApproveReturn {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 1, quantity: 1, disposition: write_off}], issued_at: now}
    Then ReturnReceived {value: 20.00 GBP, ..}
    And eventually payment "P1": Refunded {amount: 20.00 GBP, ..}
    And eventually order "O1": ReturnRefunded {return_id: R1, amount: 20.00 GBP}

  Scenario: A parcel that was refused at the door was never paid, and nothing is given back for it
    Given order "O1": Ship {shipment: S1, carrier: Courier, lines: [{line: 0, quantity: 3}, {line: 1, quantity: 1}]}
    And order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 3}, {line: 1, quantity: 1}], reason: refused at the door}
    And order "O1": ApproveReturn {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 3, disposition: restock}, {line: 1, quantity: 1, disposition: restock}], issued_at: now}
    Then ReturnReceived {value: 50.00 GBP, ..}
    And never payment "P1": Captured
    And never payment "P1": Refunded
    And eventually payment "P1": Voided
    And eventually order "O1": ReturnRefunded {return_id: R1, amount: 0.00 GBP}
    And eventually stock of "MUG": Adjusted {delta: 3, reason: returned, ..}

  Scenario: No card is asked for an order that is paid in cash
    When payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then refused: payment.needs_no_authorization
