Feature: Orders that are looked at before they are confirmed

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

  Scenario: A checkout that asks for a review holds its order as soon as it is reserved
    Given cart "C2":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 15.00 GBP}} |
    When cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Ada, address: London, country: GB}, review: first order, pay_by: now + 30 minutes}
    Then CheckedOut {review: first order, ..}
    And checkout "O2" wants order "O2": HoldForReview {reason: first order}
    And eventually order "O2": HeldForReview {reason: first order}
    And eventually checkout "O2": HoldNoted
    And the order "O2" reads {status: held, held: first order, ..}

  Scenario: A held order is paid and its units leave the shelf, but it is not confirmed
    When payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested
    And eventually checkout "O1" is exactly:
      | Accepted      | {at: now} |
      | ReviewAwaited |           |
    And eventually stock of "MUG": Allocated {reservation: O1, quantity: 2, ..}
    And never order "O1": Confirmed
    And never payment "P1": Captured
    And the order "O1" reads {status: held, payment_status: authorized, ..}

  Scenario: Once somebody has looked at it the order goes on by itself
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    When order "O1": ReleaseFromReview {note: telephoned}
    Then ReleasedFromReview {note: telephoned}
    And eventually checkout "O1": Completed
    And eventually order "O1": Confirmed
    And eventually payment "P1": Captured {amount: 30.00 GBP, ..}

  Scenario: A review that is over before the payment comes holds nobody up
    Given order "O1": ReleaseFromReview
    When payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested
    And eventually checkout "O1" is exactly:
      | Accepted  | {at: now} |
      | Completed |           |

  Scenario: An order that failed its review gives everything back, and nothing is ever charged
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    When order "O1": RejectAfterReview {note: stolen card}
    Then Cancelled {reason: rejected, ..}
    And eventually checkout "O1" is exactly:
      | Reversed | {reason: rejected} |
    And checkout "O1" wants stock of "MUG": PutBack {reservation: O1, quantity: 2, reference: O1}
    And checkout "O1" wants payment "P1": Void
    And checkout "O1" wants payment "P1": Refund {refund: P1, reason: order not fulfilled}
    And checkout "O1" wants nothing more
    And eventually stock of "MUG": Adjusted {delta: 2, reason: returned, ..}
    And eventually payment "P1": Voided
    And never payment "P1": Captured

  Scenario: A review does not stop the clock for the payment
    When 30 minutes pass
    Then eventually checkout "O1": GivenUp {reason: payment_timed_out}
    And eventually order "O1": Cancelled {reason: payment_timed_out, ..}

  Scenario: Staff may hold an order that nobody wanted to have looked at
    Given order "O1": ReleaseFromReview
    And order "O1": HoldForReview {reason: odd address}
    When payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested
    And eventually checkout "O1": ReviewAwaited
    And never order "O1": Confirmed

  Scenario: A paid order is looked at for as long as it takes
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    When 3 days pass
    Then nothing happens
    When order "O1": ReleaseFromReview
    Then ReleasedFromReview
    And eventually order "O1": Confirmed

  Scenario Outline: An order that nobody pays beforehand is looked at as well
    Given cart "C2":
      | Open    | {currency: GBP}                                                               |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: <price>}} |
    When cart "C2": CheckOut {order: O2, payment: P2, method: <method>, delivery: {contact: Ada, address: London, country: GB}, review: first order, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually order "O2": HeldForReview
    And eventually checkout "O2": ReviewAwaited
    And never order "O2": Confirmed
    When order "O2": ReleaseFromReview
    Then ReleasedFromReview
    And eventually order "O2": Confirmed

    Examples:
      | price     | method           |
      | 15.00 GBP | cash_on_delivery |
      | 0.00 GBP  | card             |
