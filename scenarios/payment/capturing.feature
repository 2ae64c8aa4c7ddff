Feature: Money that is taken, let go and given back

  Background:
    Given payment "P1": OpenIntent {order: O1, amount: 30.00 GBP, method: card, capture: on_shipment}

  Scenario: No more is taken than is held
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {amount: 20.00 GBP}
    When payment "P1": Capture {amount: 10.01 GBP}
    Then refused: payment.exceeds_authorized {requested: 10.01 GBP, capturable: 10.00 GBP}
    When payment "P1": Capture {amount: 10.00 GBP}
    Then CaptureRequested {amount: 10.00 GBP, ..}
    And eventually payment "P1": Captured {amount: 10.00 GBP, ..}

  Scenario: A capture that fails leaves the money held
    Given payment "P1": Authorize {attempt: A1, token: tok_capture_fails}
    When payment "P1": Capture {}
    Then CaptureRequested {amount: 30.00 GBP, ..}
    And eventually payment "P1": CaptureFailed {amount: 30.00 GBP, reason: capture_fails, ..}
    When payment "P1": Void {}
    Then VoidRequested {amount: 30.00 GBP, ..}
    And eventually payment "P1": Voided

  Scenario: A void that fails can be asked for again
    Given payment "P1": Authorize {attempt: A1, token: tok_void_fails}
    When payment "P1": Void {}
    Then VoidRequested
    And eventually payment "P1": VoidFailed {reason: void_fails, ..}
    When payment "P1": Void {}
    Then VoidRequested

  Scenario: Money that was let go cannot be taken or asked for any more
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Void {}
    When payment "P1": Capture {}
    Then refused: payment.voided
    When payment "P1": Authorize {attempt: A2, token: tok_approve}
    Then refused: payment.voided

  Scenario: Money that was taken is given back, not let go
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {}
    When payment "P1": Void {}
    Then refused: payment.already_captured
    When payment "P1": Refund {refund: R1, amount: 12.00 GBP, reason: broken}
    Then RefundRequested {refund: R1, amount: 12.00 GBP, reason: broken, ..}
    And eventually payment "P1": Refunded {refund: R1, amount: 12.00 GBP, ..}

  Scenario: No more is given back than was taken
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {amount: 20.00 GBP}
    And payment "P1": Refund {refund: R1, amount: 15.00 GBP, reason: broken}
    When payment "P1": Refund {refund: R2, amount: 5.01 GBP, reason: broken}
    Then refused: payment.exceeds_captured {requested: 5.01 GBP, refundable: 5.00 GBP}
    When payment "P1": Refund {refund: R1, amount: 5.00 GBP, reason: broken}
    Then refused: payment.refund_exists {refund: R1}

  Scenario: A refund that fails can be asked for again under its name
    Given payment "P1": Authorize {attempt: A1, token: tok_refund_fails}
    And payment "P1": Capture {}
    When payment "P1": Refund {refund: R1, amount: 5.00 GBP, reason: broken}
    Then RefundRequested
    And eventually payment "P1": RefundFailed {refund: R1, amount: 5.00 GBP, reason: refund_fails, ..}
    When payment "P1": Refund {refund: R1, amount: 5.00 GBP, reason: broken}
    Then RefundRequested
