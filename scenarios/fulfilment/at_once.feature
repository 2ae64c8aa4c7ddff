Feature: Money that is taken as soon as the order is confirmed

  Background:
    Given stock of "MUG": Receive {quantity: 10}
    And stock of "POT": Receive {quantity: 5}
    And cart "C1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 10.00 GBP}} |
      | AddLine | {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}} |
    And cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, capture: at_once, review: first order, pay_by: now + 30 minutes}
    And payment "P1": Authorize {attempt: A1, token: tok_approve}

  Scenario: Nothing is taken before the order is confirmed, and then all of it at once
    When order "O1": ReleaseFromReview
    Then ReleasedFromReview
    And eventually fulfilment "O1" is exactly:
      | Started        | {order: O1, terms: {payment: P1, method: card, capture: at_once}, total: 50.00 GBP} |
      | BalanceChanged | {due: 50.00 GBP, keep: 50.00 GBP, complete: false}                                  |
      | CaptureDue     | {payment: P1, capture: due-1, amount: 50.00 GBP, at: now}                           |
      | CaptureNoted   | {payment: P1, capture: due-1, amount: 50.00 GBP}                                    |
    And fulfilment "O1" wants payment "P1": Capture {capture: due-1, amount: 50.00 GBP}
    And fulfilment "O1" wants nothing more
    And eventually payment "P1" is exactly:
      | CaptureRequested | {amount: 50.00 GBP, ..} |
      | Captured         | {amount: 50.00 GBP, ..} |
    And the order "O1" reads {status: confirmed, payment_status: captured, ..}

  Scenario: Parcels of an order that is paid take no more money
    Given order "O1": ReleaseFromReview
    And order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}]}
    When order "O1": Ship {shipment: S2, carrier: Post, lines: [{line: 1, quantity: 1}]}
    Then Shipped {complete: true, ..}
    And never payment "P1": CaptureRequested
    And the payment "P1" reads {captured: 50.00 GBP, refunded: 0.00 GBP, ..}

  Scenario: A paid order that is cancelled gives its units and its money back
    Given order "O1": ReleaseFromReview
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {reason: customer_request, confirmed: true, value: 50.00 GBP, ..}
    And eventually fulfilment "O1" is exactly:
      | BalanceChanged | {due: 0.00 GBP, keep: 0.00 GBP, complete: true}                          |
      | RefundDue      | {payment: P1, refund: due-2, amount: 50.00 GBP, at: now}                 |
      | RefundNoted    | {payment: P1, refund: due-2, amount: 50.00 GBP}                          |
    And fulfilment "O1" wants payment "P1": Refund {refund: due-2, amount: 50.00 GBP, reason: owed to the buyer}
    And fulfilment "O1" wants nothing more
    And order "O1" wants stock of "MUG": PutBack {reservation: O1, quantity: 3, reference: O1}
    And order "O1" wants stock of "POT": PutBack {reservation: O1, quantity: 1, reference: O1}
    And eventually stock of "MUG": Adjusted {delta: 3, reason: returned, ..}
    And eventually stock of "POT": Adjusted {delta: 1, reason: returned, ..}
    And the payment "P1" reads {status: refunded, captured: 50.00 GBP, refunded: 50.00 GBP, ..}

  Scenario: Units that are cancelled are paid back at once, the others go on
    Given order "O1": ReleaseFromReview
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 2}]}
    Then LinesCancelled {value: 20.00 GBP, ..}
    And fulfilment "O1" wants payment "P1": Refund {refund: due-2, amount: 20.00 GBP, ..}
    And eventually payment "P1": Refunded {amount: 20.00 GBP, ..}
    And eventually stock of "MUG": Adjusted {delta: 2, ..}
    And the payment "P1" reads {status: partially_refunded, captured: 50.00 GBP, refunded: 20.00 GBP, ..}

  Scenario: Each of several cancellations is paid back, and together they are the whole
    Given order "O1": ReleaseFromReview
    And order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 3}]}
    When order "O1": CancelLines {cancellation: X2, lines: [{line: 1, quantity: 1}]}
    Then LinesCancelled {value: 20.00 GBP, ..}
    And Cancelled {reason: lines_cancelled, ..}
    And eventually payment "P1": Refunded {amount: 20.00 GBP, ..}
    And the payment "P1" reads {status: refunded, refunded: 50.00 GBP, ..}

  Scenario: What staff took before the order was confirmed is not taken again
    Given payment "P1": Capture {capture: K1}
    When order "O1": ReleaseFromReview
    Then ReleasedFromReview
    And eventually order "O1": Confirmed
    And eventually fulfilment "O1" is exactly:
      | Started        | {total: 50.00 GBP, ..}                             |
      | BalanceChanged | {due: 50.00 GBP, keep: 50.00 GBP, complete: false} |
    And never payment "P1": CaptureRequested

  Scenario: What staff gave away as goodwill is neither taken again nor given back twice
    Given order "O1": ReleaseFromReview
    When payment "P1": Refund {refund: G1, amount: 5.00 GBP, reason: goodwill}
    Then RefundRequested {refund: G1, amount: 5.00 GBP, ..}
    And eventually fulfilment "O1" is exactly:
      | RefundNoted    | {payment: P1, refund: G1, amount: 5.00 GBP}        |
      | BalanceChanged | {due: 45.00 GBP, keep: 45.00 GBP, complete: false} |
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled
    And eventually payment "P1": Refunded {amount: 45.00 GBP, ..}
    And the payment "P1" reads {status: refunded, refunded: 50.00 GBP, ..}
