Feature: Money that is taken and let go

  Background:
    Given payment "P1": OpenIntent {order: O1, amount: 30.00 GBP, method: card, capture: on_shipment}

  Scenario: No more is taken than is held, all captures together
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1, amount: 20.00 GBP}
    When payment "P1": Capture {capture: K2, amount: 10.01 GBP}
    Then refused: payment.exceeds_authorized {requested: 10.01 GBP, capturable: 10.00 GBP}
    When payment "P1": Capture {capture: K2, amount: 10.00 GBP}
    Then CaptureRequested {order: O1, capture: K2, amount: 10.00 GBP, ..}
    And eventually payment "P1": Captured {order: O1, capture: K2, amount: 10.00 GBP}
    And the payment "P1" reads {status: captured, captured: 30.00 GBP, ..}

  Scenario: The last parcel takes whatever is left, and after it there is nothing to take
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1, amount: 12.34 GBP}
    When payment "P1": Capture {capture: K2}
    Then CaptureRequested {capture: K2, amount: 17.66 GBP, ..}
    When payment "P1": Capture {capture: K3}
    Then nothing happens

  Scenario: A capture that is asked for again under its name takes the money once
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1, amount: 10.00 GBP}
    When payment "P1": Capture {capture: K1, amount: 10.00 GBP}
    Then nothing happens
    When payment "P1": Capture {capture: K1}
    Then nothing happens
    When payment "P1": Capture {capture: K1, amount: 11.00 GBP}
    Then refused: payment.capture_exists {capture: K1}

  Scenario Outline: A capture is of more than nothing, in the money that is held
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    When payment "P1": Capture {capture: K1, amount: <amount>}
    Then refused: <refusal>

    Examples:
      | amount    | refusal                                                                             |
      | 0.00 GBP  | payment.bad_amount                                                                  |
      | -1.00 GBP | payment.bad_amount                                                                  |
      | 10.00 EUR | payment.exceeds_authorized {requested: 10.00 EUR, capturable: 30.00 GBP} |

  Scenario: A card payment can neither be taken nor given back before it is held
    When payment "P1": Capture {capture: K1}
    Then refused: payment.not_authorized
    When payment "P1": Refund {refund: R1, reason: broken}
    Then refused: payment.not_authorized

  Scenario: A capture that fails leaves the money held
    Given payment "P1": Authorize {attempt: A1, token: tok_capture_fails}
    When payment "P1": Capture {capture: K1}
    Then CaptureRequested {amount: 30.00 GBP, ..}
    And eventually payment "P1": CaptureFailed {order: O1, capture: K1, amount: 30.00 GBP, reason: capture_fails}
    And the payment "P1" reads {status: authorized, captured: 0.00 GBP, ..}
    When payment "P1": Void {}
    Then VoidRequested {amount: 30.00 GBP, ..}
    And eventually payment "P1": Voided

  Scenario: A capture that failed is asked for again under another name, not under the old one
    Given payment "P1": Authorize {attempt: A1, token: tok_capture_fails}
    And payment "P1": Capture {capture: K1, amount: 10.00 GBP}
    When payment "P1": Capture {capture: K1, amount: 10.00 GBP}
    Then nothing happens
    When payment "P1": Capture {capture: K2, amount: 10.00 GBP}
    Then CaptureRequested {capture: K2, amount: 10.00 GBP, ..}

  Scenario: A gateway is not asked to take money without end
    Given payment "P1": Authorize {attempt: A1, token: tok_capture_fails}
    And 50 times payment "P1": Capture {capture: K#, amount: 1.00 GBP}
    When payment "P1": Capture {capture: K51, amount: 1.00 GBP}
    Then refused: payment.too_many_tries {max: 50}
    When payment "P1": Void {}
    Then VoidRequested {amount: 30.00 GBP, ..}

  Scenario: An answer that comes again, or says something else the second time, is believed once
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1, amount: 10.00 GBP}
    When payment "P1": RecordCapture {capture: K1, outcome: done}
    Then nothing happens
    When payment "P1": RecordCapture {capture: K1, outcome: failed {reason: insufficient_funds}}
    Then nothing happens
    When payment "P1": RecordCapture {capture: K2, outcome: done}
    Then nothing happens

  Scenario: Letting go after one parcel of two frees what is left and keeps what was earned
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1, amount: 20.00 GBP}
    When payment "P1": Void {}
    Then VoidRequested {order: O1, amount: 10.00 GBP, ..}
    And eventually payment "P1": Voided {order: O1}
    And the payment "P1" reads {status: captured, captured: 20.00 GBP, released: 10.00 GBP, ..}
    When payment "P1": Capture {capture: K2, amount: 10.00 GBP}
    Then refused: payment.voided
    When payment "P1": Refund {refund: R1, amount: 20.00 GBP, reason: broken}
    Then RefundRequested {refund: R1, amount: 20.00 GBP, ..}
    And eventually payment "P1": Refunded {refund: R1, amount: 20.00 GBP, ..}

  Scenario: Letting go twice is letting go once
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Void {}
    When payment "P1": Void {}
    Then nothing happens
    And the payment "P1" reads {status: voided, released: 30.00 GBP, ..}

  Scenario: A void that fails can be asked for again
    Given payment "P1": Authorize {attempt: A1, token: tok_void_fails}
    When payment "P1": Void {}
    Then VoidRequested
    And eventually payment "P1": VoidFailed {order: O1, reason: void_fails}
    When payment "P1": Void {}
    Then VoidRequested

  Scenario: After a void that failed the money can still be taken
    Given payment "P1": Authorize {attempt: A1, token: tok_void_fails}
    And payment "P1": Void {}
    When payment "P1": Capture {capture: K1}
    Then CaptureRequested {capture: K1, amount: 30.00 GBP, ..}
    And eventually payment "P1": Captured {capture: K1, amount: 30.00 GBP, ..}

  Scenario: An answer about letting go of another hold does not close this one
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    When payment "P1": RecordVoid {reference: R-77, outcome: done}
    Then nothing happens
    When payment "P1": Capture {capture: K1}
    Then CaptureRequested

  Scenario: Money that was let go cannot be taken, asked for or given back any more
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Void {}
    When payment "P1": Capture {capture: K1}
    Then refused: payment.voided
    When payment "P1": Authorize {attempt: A2, token: tok_approve}
    Then refused: payment.voided
    When payment "P1": Refund {refund: R1, amount: 1.00 GBP, reason: broken}
    Then refused: payment.voided

  Scenario: Money that was taken is given back, not let go
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1}
    When payment "P1": Void {}
    Then refused: payment.already_captured
