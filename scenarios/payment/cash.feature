Feature: Cash on delivery

  Background:
    Given payment "P1": OpenIntent {order: O1, amount: 30.00 GBP, method: cash_on_delivery, capture: on_shipment}

  Scenario: Cash is collected without a gateway
    When payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then refused: payment.needs_no_authorization
    When payment "P1": Capture {capture: K1}
    Then Captured {order: O1, capture: K1, amount: 30.00 GBP}
    And the payment "P1" reads {method: cash_on_delivery, status: captured, captured: 30.00 GBP, ..}
    When payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then refused: payment.needs_no_authorization

  Scenario: Who gets two parcels pays at the door twice, and not more than was agreed
    When payment "P1": Capture {capture: K1, amount: 20.00 GBP}
    Then Captured {capture: K1, amount: 20.00 GBP, ..}
    When payment "P1": Capture {capture: K2, amount: 12.00 GBP}
    Then refused: payment.exceeds_authorized {requested: 12.00 GBP, capturable: 10.00 GBP}
    When payment "P1": Capture {capture: K2}
    Then Captured {capture: K2, amount: 10.00 GBP, ..}

  Scenario: A courier who reports the same cash twice has collected it once
    Given payment "P1": Capture {capture: K1, amount: 20.00 GBP}
    When payment "P1": Capture {capture: K1, amount: 20.00 GBP}
    Then nothing happens
    When payment "P1": Capture {capture: K1, amount: 10.00 GBP}
    Then refused: payment.capture_exists {capture: K1}

  Scenario: Cash is given back over the counter, up to what was collected
    Given payment "P1": Capture {capture: K1, amount: 20.00 GBP}
    When payment "P1": Refund {refund: R1, amount: 20.01 GBP, reason: broken}
    Then refused: payment.exceeds_captured {requested: 20.01 GBP, refundable: 20.00 GBP}
    When payment "P1": Refund {refund: R1, amount: 20.00 GBP, reason: broken}
    Then Refunded {order: O1, refund: R1, amount: 20.00 GBP}
    And the payment "P1" reads {status: refunded, refunded: 20.00 GBP, ..}

  Scenario: Before the courier has come there is nothing to give back
    When payment "P1": Refund {refund: R1, reason: broken}
    Then refused: payment.not_authorized

  Scenario: A parcel that nobody is to pay for any more is not paid for
    Given payment "P1": Void {}
    When payment "P1": Capture {capture: K1}
    Then refused: payment.voided

  Scenario: Cash in hand cannot be let go of
    Given payment "P1": Capture {capture: K1}
    When payment "P1": Void {}
    Then refused: payment.already_captured
