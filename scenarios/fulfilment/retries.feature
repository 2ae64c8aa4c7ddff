Feature: A gateway that does not do what it is asked

  Background:
    Given it is 2026-03-02T09:00:00Z
    And stock of "MUG": Receive {quantity: 10}
    And stock of "POT": Receive {quantity: 5}
    And cart "C1":
      | Open    | {customer: ada, currency: GBP}                                                  |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 10.00 GBP}} |
      | AddLine | {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}} |
    And cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, capture: on_shipment, pay_by: now + 30 minutes}

  Scenario: A capture that fails is asked for again after a minute, under another name
    Given payment "P1": Authorize {attempt: A1, token: tok_capture_fails}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}]}
    Then Shipped {value: 30.00 GBP, ..}
    And eventually fulfilment "O1": CaptureDue {capture: due-1, amount: 30.00 GBP, ..}
    And eventually fulfilment "O1": FailureNoted {payment: P1}
    And eventually fulfilment "O1": RetryPlanned {order: O1, due: now + 1 minute}
    When 1 minute passes
    Then eventually fulfilment "O1": Retried
    And eventually fulfilment "O1": CaptureDue {capture: due-2, amount: 30.00 GBP, ..}
    And eventually payment "P1": CaptureFailed {capture: due-2, reason: capture_fails, ..}

  Scenario: The parcel is on its way whether or not its money comes: after five tries somebody has to look
    Given payment "P1": Authorize {attempt: A1, token: tok_capture_fails}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}, {line: 1, quantity: 1}]}
    And 1 day passes
    Then eventually fulfilment "O1": SettlementFailed {missing: 50.00 GBP, owed: 0.00 GBP}
    When 30 days pass
    Then nothing happens
    And the order "O1" reads {status: shipped, payment_status: authorized, ..}

  Scenario: The waits between the tries grow, from one minute to two hours
    Given payment "P1": Authorize {attempt: A1, token: tok_capture_fails}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}, {line: 1, quantity: 1}]}
    And 1 day passes
    Then eventually fulfilment "O1":
      | RetryPlanned     | {order: O1, due: 2026-03-02T09:01:00Z} |
      | RetryPlanned     | {order: O1, due: 2026-03-02T09:06:00Z} |
      | RetryPlanned     | {order: O1, due: 2026-03-02T09:31:00Z} |
      | RetryPlanned     | {order: O1, due: 2026-03-02T11:36:00Z} |
      | SettlementFailed | {missing: 50.00 GBP, owed: 0.00 GBP}   |

  Scenario: A next parcel is a reason to ask for the money once more
    Given payment "P1": Authorize {attempt: A1, token: tok_capture_fails}
    And order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}]}
    When 1 day passes
    Then eventually fulfilment "O1": SettlementFailed {missing: 30.00 GBP, owed: 0.00 GBP}
    When order "O1": Ship {shipment: S2, carrier: Post, lines: [{line: 1, quantity: 1}]}
    Then Shipped
    And eventually fulfilment "O1": BalanceChanged {due: 50.00 GBP, ..}
    And eventually fulfilment "O1": CaptureDue {capture: due-6, amount: 50.00 GBP, ..}
    And eventually fulfilment "O1": RetryPlanned {order: O1, due: now + 1 minute}
    When 1 day passes
    Then eventually fulfilment "O1": SettlementFailed {missing: 50.00 GBP, owed: 0.00 GBP}

  Scenario: Money that staff let go of before the parcel left is missing, and nobody waits a day to say so
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Void
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 2}]}
    Then Shipped
    And eventually fulfilment "O1": SettlementFailed {missing: 20.00 GBP, owed: 0.00 GBP}
    And never payment "P1": CaptureRequested

  Scenario: Money that the gateway does not let go is asked for again, and then told
    Given payment "P1": Authorize {attempt: A1, token: tok_void_fails}
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {confirmed: true, ..}
    And eventually payment "P1": VoidFailed {reason: void_fails, ..}
    And eventually fulfilment "O1": RetryPlanned {due: now + 1 minute, ..}
    When 1 day passes
    Then eventually fulfilment "O1": SettlementFailed {missing: 0.00 GBP, owed: 0.00 GBP}

  Scenario: A refund that the gateway does not make is owed, and told as owed in the end
    Given payment "P1": Authorize {attempt: A1, token: tok_refund_fails}
    And order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}, {line: 1, quantity: 1}]}
    And order "O1": RequestReturn {return_id: R1, lines: [{line: 1, quantity: 1}], reason: cracked}
    And order "O1": ApproveReturn {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 1, quantity: 1, disposition: write_off}], issued_at: now}
    Then ReturnReceived {value: 20.00 GBP, ..}
    And eventually payment "P1": RefundFailed {refund: due-2, amount: 20.00 GBP, reason: refund_fails, ..}
    When 1 day passes
    Then eventually payment "P1": RefundFailed {refund: due-6, ..}
    And eventually fulfilment "O1": SettlementFailed {missing: 0.00 GBP, owed: 20.00 GBP}
    And never order "O1": ReturnRefunded

  Scenario: What could not be given back while a dispute was open is given back when it is decided
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}, {line: 1, quantity: 1}]}
    And payment "P1": RecordDispute {dispute: D1, amount: 50.00 GBP, reason: fraudulent, stage: open}
    And order "O1": RequestReturn {return_id: R1, lines: [{line: 1, quantity: 1}], reason: cracked}
    And order "O1": ApproveReturn {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 1, quantity: 1, disposition: write_off}], issued_at: now}
    And 1 day passes
    Then eventually fulfilment "O1": SettlementFailed {missing: 0.00 GBP, owed: 20.00 GBP}
    When payment "P1": RecordDispute {dispute: D1, amount: 50.00 GBP, reason: fraudulent, stage: won}
    Then DisputeWon
    And eventually fulfilment "O1": Retried
    And eventually payment "P1": Refunded {refund: due-7, amount: 20.00 GBP, ..}
    And eventually order "O1": ReturnRefunded {return_id: R1, amount: 20.00 GBP}

  Scenario: What is cancelled while money is being asked for again is not asked for
    Given payment "P1": Authorize {attempt: A1, token: tok_capture_fails}
    And order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 1}]}
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 2}, {line: 1, quantity: 1}]}
    Then LinesCancelled {value: 40.00 GBP, complete: true, ..}
    When 1 minute passes
    Then eventually fulfilment "O1": CaptureDue {capture: due-2, amount: 10.00 GBP, ..}

  Scenario: For goods that came back before their money could be taken nothing is given back, nor said to be
    Given payment "P1": Authorize {attempt: A1, token: tok_capture_fails}
    And order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}, {line: 1, quantity: 1}]}
    And order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 3}, {line: 1, quantity: 1}], reason: wrong colour}
    And order "O1": ApproveReturn {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 3, disposition: restock}, {line: 1, quantity: 1, disposition: restock}], issued_at: now}
    Then ReturnReceived {value: 50.00 GBP, ..}
    When 1 minute passes
    Then eventually payment "P1": Voided
    And eventually order "O1": ReturnRefunded {return_id: R1, amount: 0.00 GBP}
    And never payment "P1": RefundRequested
