Feature: From a cart to a confirmed order

  Background:
    Given stock of "MUG": Receive {quantity: 5}
    And cart "C1":
      | Opened    | {currency: GBP}                                                               |
      | LineAdded | {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP} |
    And cart "C1": CheckOut
      | order    | O1                                      |
      | payment  | P1                                      |
      | method   | card                                    |
      | delivery | {contact: Ada, address: London, country: GB} |
      | pay_by   | now + 30 minutes                        |

  Scenario: An approved payment confirms the order and is captured at once
    When payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested {order: O1, attempt: A1, token: tok_approve, amount: 30.00 GBP}
    And eventually order "O1": Confirmed
    And eventually payment "P1": Captured {order: O1, amount: 30.00 GBP}
    And checkout "O1" wants stock of "MUG": Allocate {reservation: O1, now: now}
    And checkout "O1" wants order "O1": Confirm
    And checkout "O1" wants payment "P1": Capture
    And checkout "O1" wants nothing more
    And the order "O1" reads {status: confirmed, ..}

  Scenario: An order that nobody pays is called off when its time is over
    When 30 minutes pass
    Then eventually order "O1": Cancelled {reason: payment_timed_out}
    And eventually stock of "MUG": Released {reservation: O1, quantity: 2}
    And never order "O1": Confirmed
