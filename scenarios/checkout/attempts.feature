Feature: A buyer whose card is declined may try another one

  Background:
    Given stock of "MUG": Receive {quantity: 5}
    And cart "C1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}} |
    And cart "C1": CheckOut
      | order        | O1                                           |
      | payment      | P1                                           |
      | method       | card                                         |
      | delivery     | {contact: Ada, address: London, country: GB} |
      | attempts_max | 3                                            |
      | pay_by       | now + 30 minutes                             |

  Scenario: A declined card costs an attempt, not the order
    Given payment "P1": Authorize {attempt: A1, token: tok_decline}
    When payment "P1": Authorize {attempt: A2, token: tok_approve}
    Then AuthorizationRequested
    And eventually checkout "O1" is exactly:
      | Accepted  | {at: now} |
      | Completed |           |
    And eventually order "O1": Confirmed

  Scenario: A gateway that says nothing costs an attempt as well
    When payment "P1": Authorize {attempt: A1, token: tok_timeout}
    And 5 seconds pass
    Then eventually checkout "O1" is exactly:
      | AttemptFailed |
    And checkout "O1" wants nothing more
    And the order "O1" reads {status: placed, ..}

  Scenario: The last attempt that is allowed ends the order
    Given payment "P1": Authorize {attempt: A1, token: tok_decline}
    And payment "P1": Authorize {attempt: A2, token: tok_decline}
    When payment "P1": Authorize {attempt: A3, token: tok_decline}
    Then AuthorizationRequested
    And eventually checkout "O1": GivenUp {reason: payment_declined}
    And eventually order "O1": Cancelled {reason: payment_declined, ..}
    And eventually stock of "MUG": Released {reservation: O1, quantity: 2, short: 0}

  Scenario: Attempts that are left do not buy more time
    Given payment "P1": Authorize {attempt: A1, token: tok_decline}
    When 30 minutes pass
    Then eventually checkout "O1": GivenUp {reason: payment_timed_out}
    And eventually payment "P1": Voided

  Scenario: A first card that is approved after the second one is not charged
    Given payment "P1": Authorize {attempt: A1, token: tok_decline_then_approve}
    And payment "P1": Authorize {attempt: A2, token: tok_approve}
    When 3 seconds pass
    Then eventually payment "P1": Authorized {attempt: A1, ..}
    And eventually payment "P1": VoidRequested {amount: 30.00 GBP, ..}
    And never payment "P1": Captured
    And never checkout "O1": PaymentOrphaned
    And the payment "P1" reads {captured: 30.00 GBP, ..}

  Scenario: A declined card that is approved after all confirms the order that still waits for it
    Given payment "P1": Authorize {attempt: A1, token: tok_decline_then_approve}
    When 3 seconds pass
    Then eventually checkout "O1": Accepted
    And eventually order "O1": Confirmed

  Scenario: While one card is asked there is no second one
    Given payment "P1": Authorize {attempt: A1, token: tok_late}
    When payment "P1": Authorize {attempt: A2, token: tok_approve}
    Then refused: payment.in_progress {attempt: A1}
