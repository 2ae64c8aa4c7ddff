Feature: From a checked-out cart to a confirmed order

  Background:
    Given stock of "MUG": Receive {quantity: 5}
    And cart "C1":
      | Opened    | {currency: GBP}                                                         |
      | LineAdded | {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP} |
    And cart "C1": CheckOut
      | order    | O1                                           |
      | payment  | P1                                           |
      | method   | card                                         |
      | delivery | {contact: Ada, address: London, country: GB} |
      | pay_by   | now + 30 minutes                             |

  Scenario: An approved payment confirms the order and is taken at once
    When payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested {order: O1, attempt: A1, token: tok_approve, amount: 30.00 GBP}
    And eventually checkout "O1" is exactly:
      | Accepted  | {at: now} |
      | Completed |           |
    And eventually stock of "MUG": Allocated {reservation: O1, quantity: 2, ..}
    And eventually order "O1": Confirmed
    And eventually payment "P1": Captured {order: O1, amount: 30.00 GBP}
    And checkout "O1" wants stock of "MUG": Allocate {reservation: O1, now: now}
    And checkout "O1" wants order "O1": Confirm
    And checkout "O1" wants payment "P1": Capture
    And checkout "O1" wants nothing more
    And the order "O1" reads {status: confirmed, ..}

  Scenario Outline: Without a payment the order is called off and its units go back on sale
    When payment "P1": Authorize {attempt: A1, token: <token>}
    And 5 seconds pass
    Then eventually checkout "O1": GivenUp {reason: <reason>}
    And eventually order "O1": Cancelled {reason: <reason>, ..}
    And eventually stock of "MUG": Released {reservation: O1, quantity: 2}
    And checkout "O1" wants stock of "MUG": Release {reservation: O1}
    And checkout "O1" wants order "O1": Cancel {reason: <reason>}
    And never order "O1": Confirmed

    Examples:
      | token       | reason            |
      | tok_decline | payment_declined  |
      | tok_timeout | payment_timed_out |

  Scenario: An order that nobody pays is called off when its time is over, and not before
    When 29 minutes pass
    Then nothing happens
    When 1 minute passes
    Then eventually order "O1": Cancelled {reason: payment_timed_out, ..}
    And eventually payment "P1": Voided

  Scenario: An approval that comes after the order was given up is let go again
    Given payment "P1": Authorize {attempt: A1, token: tok_decline_then_approve}
    When 3 seconds pass
    Then eventually checkout "O1": PaymentOrphaned
    And checkout "O1" wants payment "P1": Void
    And eventually payment "P1": Voided
    And never order "O1": Confirmed

  Scenario: A paid order that is cancelled gives its units and its money back
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {reason: customer_request, ..}
    And eventually checkout "O1": Reversed {reason: customer_request}
    And eventually checkout "O1": RefundDue
    And eventually stock of "MUG": Adjusted {delta: 2, reason: returned, ..}
    And eventually payment "P1": Refunded {amount: 30.00 GBP, ..}
    And checkout "O1" wants stock of "MUG": Adjust {delta: 2, reason: returned, ..}
    And checkout "O1" wants payment "P1": Refund {refund: O1, ..}

  Scenario: Units that were lost to somebody else before the payment came are not sold
    Given stock of "MUG": Release {reservation: O1}
    When payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested
    And eventually checkout "O1": AllocationFailed {lost: [0]}
    And eventually order "O1": Cancelled {reason: out_of_stock, ..}
    And eventually payment "P1": Voided
    And never payment "P1": Captured
