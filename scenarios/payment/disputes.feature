Feature: Money that a buyer wants back from their bank

  Background:
    Given payment "P1": OpenIntent {order: O1, amount: 30.00 GBP, method: card, capture: on_shipment}

  Scenario: While a dispute is open nothing is given back; what is won can be
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1}
    When payment "P1": RecordDispute {dispute: D1, amount: 30.00 GBP, reason: fraudulent, stage: open}
    Then DisputeOpened {order: O1, dispute: D1, amount: 30.00 GBP, reason: fraudulent}
    And the payment "P1" reads {status: captured, disputes: [{id: D1, status: open, amount: 30.00 GBP, reason: fraudulent}], ..}
    When payment "P1": Refund {refund: R1, amount: 5.00 GBP, reason: kind}
    Then refused: payment.disputed {dispute: D1}
    When payment "P1": RecordDispute {dispute: D1, amount: 30.00 GBP, reason: fraudulent, stage: won}
    Then DisputeWon {order: O1, dispute: D1, amount: 30.00 GBP}
    When payment "P1": Refund {refund: R1, amount: 5.00 GBP, reason: kind}
    Then RefundRequested {refund: R1, amount: 5.00 GBP, ..}

  Scenario: What is lost is not given back as well
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1}
    And payment "P1": RecordDispute {dispute: D1, amount: 20.00 GBP, reason: not_received, stage: open}
    When payment "P1": RecordDispute {dispute: D1, amount: 20.00 GBP, reason: not_received, stage: lost}
    Then DisputeLost {order: O1, dispute: D1, amount: 20.00 GBP}
    When payment "P1": Refund {refund: R1, amount: 10.01 GBP, reason: kind}
    Then refused: payment.exceeds_captured {requested: 10.01 GBP, refundable: 10.00 GBP}
    When payment "P1": Refund {refund: R1, reason: kind}
    Then RefundRequested {refund: R1, amount: 10.00 GBP, ..}

  Scenario: How much of the money another currency was nobody knows: nothing more is given back
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1}
    When payment "P1": RecordDispute {dispute: D1, amount: 20.00 EUR, reason: not_received, stage: lost}
    Then DisputeOpened {dispute: D1, amount: 20.00 EUR, ..}
    And DisputeLost {order: O1, dispute: D1, amount: 20.00 EUR}
    When payment "P1": Refund {refund: R1, amount: 5.00 GBP, reason: kind}
    Then refused: payment.exceeds_captured {requested: 5.00 GBP, refundable: 0.00 GBP}

  Scenario: An end that is told first tells of the beginning too, and what is told twice is told once
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And payment "P1": Capture {capture: K1}
    When payment "P1": RecordDispute {dispute: D1, amount: 30.00 GBP, reason: fraudulent, stage: lost}
    Then DisputeOpened {order: O1, dispute: D1, amount: 30.00 GBP, reason: fraudulent}
    And DisputeLost {order: O1, dispute: D1, amount: 30.00 GBP}
    When payment "P1": RecordDispute {dispute: D1, amount: 30.00 GBP, reason: fraudulent, stage: open}
    Then nothing happens
    When payment "P1": RecordDispute {dispute: D1, amount: 30.00 GBP, reason: fraudulent, stage: won}
    Then nothing happens

  Scenario: What nobody has taken is in no dispute
    Given payment "P1": Authorize {attempt: A1, token: tok_decline}
    When payment "P1": RecordDispute {dispute: D1, amount: 30.00 GBP, reason: fraudulent, stage: open}
    Then nothing happens

  Scenario: A dispute comes some time after the capture, and is decided later
    Given payment "P1": Authorize {attempt: A1, token: tok_dispute_lost}
    When payment "P1": Capture {capture: K1}
    Then CaptureRequested {capture: K1, ..}
    And never payment "P1": DisputeOpened
    When 3 seconds pass
    Then eventually payment "P1": DisputeOpened {order: O1, amount: 30.00 GBP, reason: fraudulent, ..}
    And never payment "P1": DisputeLost
    When 3 seconds pass
    Then eventually payment "P1": DisputeLost {order: O1, amount: 30.00 GBP, ..}
