Feature: What a checkout undoes, and how often it tries

  Background:
    Given stock of "MUG": Receive {quantity: 5}
    And cart "C1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}} |
    And cart "C1": CheckOut
      | order    | O1                                           |
      | payment  | P1                                           |
      | method   | card                                         |
      | delivery | {contact: Ada, address: London, country: GB} |
      | review   | first order                                  |
      | pay_by   | now + 30 minutes                             |

  Scenario: An order that is cancelled before anybody paid gives its units back, and its payment is closed
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {reason: customer_request, confirmed: false, ..}
    And eventually checkout "O1": GivenUp {reason: customer_request}
    And checkout "O1" wants stock of "MUG": Release {reservation: O1}
    And checkout "O1" wants order "O1": Cancel {reason: customer_request}
    And checkout "O1" wants payment "P1": Void
    And checkout "O1" wants payment "P1": Refund {refund: P1, reason: order not fulfilled}
    And checkout "O1" wants nothing more
    And eventually stock of "MUG": Released {reservation: O1, quantity: 2, short: 0}
    And eventually payment "P1": Voided

  Scenario: Money that the gateway does not let go is asked for again after a minute
    Given payment "P1": Authorize {attempt: A1, token: tok_void_fails}
    When order "O1": RejectAfterReview
    Then Cancelled {reason: rejected, ..}
    And eventually payment "P1": VoidFailed {reason: void_fails, ..}
    And eventually checkout "O1": RetryPlanned {due: now + 1 minute}
    When 59 seconds pass
    Then nothing happens
    When 1 second passes
    Then eventually checkout "O1": UndoRetried {refunds: []}
    And checkout "O1" wants payment "P1": Void
    And eventually payment "P1": VoidFailed

  Scenario: After five tries in vain somebody has to look, and the gateway is left alone
    Given payment "P1": Authorize {attempt: A1, token: tok_void_fails}
    When order "O1": RejectAfterReview
    And 1 day passes
    Then eventually checkout "O1" is exactly:
      | Reversed     | {reason: rejected}                    |
      | RetryPlanned | {due: 2026-01-01T00:01:00Z}           |
      | UndoRetried  | {refunds: []}                         |
      | RetryPlanned | {due: 2026-01-01T00:06:00Z}           |
      | UndoRetried  | {refunds: []}                         |
      | RetryPlanned | {due: 2026-01-01T00:31:00Z}           |
      | UndoRetried  | {refunds: []}                         |
      | RetryPlanned | {due: 2026-01-01T02:36:00Z}           |
      | UndoRetried  | {refunds: []}                         |
      | RetryPlanned | {due: 2026-01-01T13:01:00Z}           |
      | UndoRetried  | {refunds: []}                         |
      | UndoFailed   |                                       |
    When 30 days pass
    Then nothing happens

  Scenario: What staff captures of an order that was called off goes straight back
    Given payment "P1": Authorize {attempt: A1, token: tok_void_fails}
    And order "O1": RejectAfterReview
    When payment "P1": Capture {capture: K1}
    Then CaptureRequested {capture: K1, amount: 30.00 GBP, ..}
    And eventually checkout "O1": RefundDue {capture: K1}
    And checkout "O1" wants payment "P1": Refund {refund: K1, reason: order not fulfilled}
    And eventually payment "P1": Refunded {refund: K1, amount: 30.00 GBP, ..}
    And the payment "P1" reads {status: refunded, captured: 30.00 GBP, refunded: 30.00 GBP, ..}

  Scenario: What was captured while the order was looked at is given back when it fails
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1}
    When order "O1": RejectAfterReview
    Then Cancelled {reason: rejected, ..}
    And eventually payment "P1": Refunded {amount: 30.00 GBP, ..}
    And never payment "P1": Voided
    And the payment "P1" reads {status: refunded, ..}

  Scenario: Half of the money taken is given back, and the other half let go
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1, amount: 12.00 GBP}
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {reason: customer_request, confirmed: false, ..}
    And eventually payment "P1": VoidRequested {amount: 18.00 GBP, ..}
    And eventually payment "P1": Refunded {amount: 12.00 GBP, ..}
    And the payment "P1" reads {captured: 12.00 GBP, refunded: 12.00 GBP, released: 18.00 GBP, ..}

  Scenario: A refund that the gateway does not make is asked for again under its name
    Given payment "P1": Authorize {attempt: A1, token: tok_refund_fails}
    And payment "P1": Capture {capture: K1}
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {reason: customer_request, ..}
    And eventually payment "P1": RefundFailed {amount: 30.00 GBP, reason: refund_fails, ..}
    And eventually checkout "O1": RetryPlanned
    When 1 minute passes
    Then eventually checkout "O1": UndoRetried
    And eventually payment "P1": RefundRequested {amount: 30.00 GBP, ..}
    And eventually payment "P1": RefundFailed {amount: 30.00 GBP, ..}

  Scenario: What was let go for a rejected order is not taken after all
    Given payment "P1": Authorize {attempt: A1, token: tok_capture_fails}
    And order "O1": RejectAfterReview
    When payment "P1": Capture {capture: K1}
    Then refused: payment.voided

  Scenario: Units that were lost while the card was asked leave nothing behind
    Given cart "C2":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 15.00 GBP}} |
      | AddLine | {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}} |
    And stock of "POT": Receive {quantity: 1}
    And cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Eve, address: Leeds, country: GB}, pay_by: now + 30 minutes}
    And stock of "POT": Release {reservation: O2}
    When payment "P2": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested
    And eventually checkout "O2": AllocationFailed {lost: [1]}
    And checkout "O2" wants stock of "MUG": Allocate
    And checkout "O2" wants stock of "MUG": PutBack {reservation: O2, quantity: 1, reference: O2}
    And checkout "O2" wants order "O2": Cancel {reason: out_of_stock}
    And eventually stock of "MUG": Adjusted {delta: 1, reason: returned, ..}
    And eventually payment "P2": Voided
    And never stock of "POT": Adjusted

  Scenario Outline: An order that is held or called off in the moment of its confirmation is not lost sight of
    Given checkout "O9":
      | Start             | {cart: C9, order: O9, payment: P9, method: card, delivery: {contact: Ada, address: London, country: GB}, lines: [{sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 15.00 GBP}], total: 15.00 GBP, capture: at_once, attempts_max: 1, pay_by: now + 30 minutes, at: now} |
      | Answered          | {step: reserve, refused: []}  |
      | PaymentAuthorized | {payment: P9, at: now}        |
      | Answered          | {step: allocate, refused: []} |
    When checkout "O9": Answered {step: confirm, refused: [{index: 0, refusal: {code: <code>, values: <values>}}]}
    Then <event>

    Examples:
      | code                  | values                | event                     |
      | order.held_for_review | {reason: odd address} | ReviewAwaited             |
      | order.cancelled       | {reason: staff}       | Reversed {reason: staff}  |

  Scenario: A capture that fails for an order that was called off is let go
    Given checkout "O9":
      | Start          | {cart: C9, order: O9, payment: P9, method: card, delivery: {contact: Ada, address: London, country: GB}, lines: [{sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 15.00 GBP}], total: 15.00 GBP, capture: at_once, attempts_max: 1, pay_by: now + 30 minutes, at: now} |
      | Answered       | {step: reserve, refused: []}                |
      | OrderCancelled | {reason: customer_request, confirmed: false} |
    When checkout "O9": PaymentCaptureFailed {payment: P9}
    Then PaymentOrphaned
    And checkout "O9" wants payment "P9": Void
    When checkout "O9": PaymentCaptureFailed {payment: P8}
    Then nothing happens

  Scenario: Every line of an order that nobody paid goes back on sale
    Given stock of "POT": Receive {quantity: 1}
    And cart "C2":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 15.00 GBP}} |
      | AddLine | {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}} |
    And cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    When 30 minutes pass
    Then eventually order "O2": Cancelled {reason: payment_timed_out, ..}
    And eventually stock of "MUG": Released {reservation: O2, quantity: 3, short: 0}
    And eventually stock of "POT": Released {reservation: O2, quantity: 1, short: 0}
