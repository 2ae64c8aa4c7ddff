Feature: From a checked-out cart to a confirmed order

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
      | pay_by   | now + 30 minutes                             |

  Scenario: An approved payment confirms the order, and its units leave the shelf
    When payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested {order: O1, attempt: A1, token: tok_approve, amount: 30.00 GBP}
    And eventually checkout "O1" is exactly:
      | Accepted  | {at: now} |
      | Completed |           |
    And eventually stock of "MUG": Allocated {reservation: O1, quantity: 2, from: [{location: main, quantity: 2}]}
    And eventually order "O1": Confirmed
    And eventually payment "P1": Captured {order: O1, amount: 30.00 GBP, ..}
    And checkout "O1" wants stock of "MUG": Allocate {reservation: O1, now: now}
    And checkout "O1" wants order "O1": Confirm
    And checkout "O1" wants nothing more
    And the order "O1" reads {status: confirmed, payment_status: captured, ..}

  Scenario Outline: Without a payment the order is called off and its units go back on sale
    When payment "P1": Authorize {attempt: A1, token: <token>}
    And 5 seconds pass
    Then eventually checkout "O1": GivenUp {reason: <reason>}
    And eventually order "O1": Cancelled {reason: <reason>, ..}
    And eventually stock of "MUG": Released {reservation: O1, quantity: 2, ..}
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

  Scenario: An approval that is pending keeps the order waiting until it comes
    When payment "P1": Authorize {attempt: A1, token: tok_late}
    Then AuthorizationRequested
    And never checkout "O1": Accepted
    When 3 seconds pass
    Then eventually checkout "O1": Accepted
    And eventually order "O1": Confirmed

  Scenario: An approval that comes after the order was given up is let go again
    Given payment "P1": Authorize {attempt: A1, token: tok_decline_then_approve}
    When 3 seconds pass
    Then eventually checkout "O1": PaymentOrphaned
    And checkout "O1" wants payment "P1": Void
    And eventually payment "P1": Voided
    And never order "O1": Confirmed

  Scenario: Once an order was given up its payment takes no card any more
    Given payment "P1": Authorize {attempt: A1, token: tok_decline}
    When payment "P1": Authorize {attempt: A2, token: tok_approve}
    Then refused: payment.voided
    And the order "O1" reads {status: cancelled, cancel_reason: payment_declined, ..}

  Scenario: A gateway that approves twice is paid once
    Given payment "P1": Authorize {attempt: A1, token: tok_twice}
    When 1 day passes
    Then nothing happens
    And the payment "P1" reads {status: captured, captured: 30.00 GBP, refunded: 0.00 GBP, ..}

  Scenario: Units that were lost to somebody else before the payment came are not sold
    Given stock of "MUG": Release {reservation: O1}
    When payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested
    And eventually checkout "O1": AllocationFailed {lost: [0]}
    And eventually order "O1": Cancelled {reason: out_of_stock, ..}
    And eventually payment "P1": Voided
    And never payment "P1": Captured

  Scenario: A payment that comes in the last minute finds its units still reserved
    When 29 minutes pass
    And payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested
    And eventually order "O1": Confirmed
    When 1 minute passes
    Then never order "O1": Cancelled

  Scenario: The customer who cancels while the bank is asked gets the money let go
    Given payment "P1": Authorize {attempt: A1, token: tok_late}
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {reason: customer_request, confirmed: false, ..}
    And eventually checkout "O1": GivenUp {reason: customer_request}
    And eventually stock of "MUG": Released {reservation: O1, ..}
    When 3 seconds pass
    Then eventually checkout "O1": PaymentOrphaned
    And eventually payment "P1": Authorized
    And eventually payment "P1": VoidRequested {amount: 30.00 GBP, ..}
    And never order "O1": Confirmed
