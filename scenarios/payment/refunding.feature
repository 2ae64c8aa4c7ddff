Feature: Money that is given back

  Background:
    Given payment "P1": OpenIntent {order: O1, amount: 30.00 GBP, method: card, capture: on_shipment}

  Scenario: What was taken is given back in part, and the shop knows how much
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1}
    When payment "P1": Refund {refund: R1, amount: 12.00 GBP, reason: broken}
    Then RefundRequested {refund: R1, amount: 12.00 GBP, reason: broken, ..}
    And eventually payment "P1": Refunded {order: O1, refund: R1, amount: 12.00 GBP}
    And the payment "P1" reads {status: partially_refunded, captured: 30.00 GBP, refunded: 12.00 GBP, ..}

  Scenario: No more is given back than was taken, all refunds together
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1, amount: 20.00 GBP}
    And payment "P1": Refund {refund: R1, amount: 15.00 GBP, reason: broken}
    When payment "P1": Refund {refund: R2, amount: 5.01 GBP, reason: broken}
    Then refused: payment.exceeds_captured {requested: 5.01 GBP, refundable: 5.00 GBP}
    When payment "P1": Refund {refund: R2, amount: 5.00 GBP, reason: broken}
    Then RefundRequested {refund: R2, amount: 5.00 GBP, ..}
    And the payment "P1" reads {status: refunded, captured: 20.00 GBP, refunded: 20.00 GBP, ..}

  Scenario: A refund that is asked for again under its name is one refund; another amount is a mistake
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1}
    And payment "P1": Refund {refund: R1, amount: 15.00 GBP, reason: broken}
    When payment "P1": Refund {refund: R1, amount: 15.00 GBP, reason: broken}
    Then nothing happens
    When payment "P1": Refund {refund: R1, amount: 5.00 GBP, reason: broken}
    Then refused: payment.refund_exists {refund: R1}

  Scenario: Whoever names no amount gives back all that is left, and then there is nothing
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1, amount: 20.00 GBP}
    And payment "P1": Refund {refund: R1, amount: 5.00 GBP, reason: late}
    When payment "P1": Refund {refund: R2, reason: broken}
    Then RefundRequested {refund: R2, amount: 15.00 GBP, ..}
    When payment "P1": Refund {refund: R2, reason: broken}
    Then nothing happens
    When payment "P1": Refund {refund: R3, reason: broken}
    Then refused: payment.exceeds_captured {requested: 20.00 GBP, refundable: 0.00 GBP}

  Scenario: Money that is only held is let go, not given back
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    When payment "P1": Refund {refund: R1, reason: broken}
    Then refused: payment.exceeds_captured {requested: 30.00 GBP, refundable: 0.00 GBP}

  Scenario Outline: A refund is of more than nothing, in the money that was taken
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1}
    When payment "P1": Refund {refund: R1, amount: <amount>, reason: broken}
    Then refused: <refusal>

    Examples:
      | amount   | refusal                                                                          |
      | 0.00 GBP | payment.bad_amount                                                               |
      | 5.00 EUR | payment.exceeds_captured {requested: 5.00 EUR, refundable: 30.00 GBP} |

  Scenario: A refund that fails can be asked for again under its name
    Given payment "P1": Authorize {attempt: A1, token: tok_refund_fails}
    And payment "P1": Capture {capture: K1}
    When payment "P1": Refund {refund: R1, amount: 5.00 GBP, reason: broken}
    Then RefundRequested
    And eventually payment "P1": RefundFailed {order: O1, refund: R1, amount: 5.00 GBP, reason: refund_fails}
    When payment "P1": Refund {refund: R1, amount: 5.00 GBP, reason: broken}
    Then RefundRequested

  Scenario: What a refund that failed did not give back can be given back by another
    Given payment "P1": Authorize {attempt: A1, token: tok_refund_fails}
    And payment "P1": Capture {capture: K1}
    And payment "P1": Refund {refund: R1, amount: 30.00 GBP, reason: broken}
    When payment "P1": Refund {refund: R2, amount: 30.00 GBP, reason: broken}
    Then RefundRequested {refund: R2, amount: 30.00 GBP, ..}
    And the payment "P1" reads {status: captured, refunded: 0.00 GBP, ..}

  Scenario: A refund that a gateway reports twice is given back once
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1}
    And payment "P1": Refund {refund: R1, amount: 12.00 GBP, reason: broken}
    When payment "P1": RecordRefund {refund: R1, outcome: done}
    Then nothing happens
    When payment "P1": RecordRefund {refund: R1, outcome: failed {reason: account_closed}}
    Then nothing happens
    When payment "P1": RecordRefund {refund: R2, outcome: done}
    Then nothing happens

  Scenario: Between one parcel and the next money can be given back and taken
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1, amount: 20.00 GBP}
    And payment "P1": Refund {refund: R1, amount: 20.00 GBP, reason: broken}
    When payment "P1": Capture {capture: K2, amount: 10.00 GBP}
    Then CaptureRequested {capture: K2, amount: 10.00 GBP, ..}
    When payment "P1": Capture {capture: K3, amount: 20.00 GBP}
    Then refused: payment.exceeds_authorized {requested: 20.00 GBP, capturable: 0.00 GBP}

  Scenario: A payment takes so many refunds and no more
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1}
    And 50 times payment "P1": Refund {refund: R#, amount: 0.10 GBP, reason: goodwill}
    When payment "P1": Refund {refund: R51, amount: 0.10 GBP, reason: goodwill}
    Then refused: payment.too_many_tries {max: 50}
