Feature: Paid from a wallet

  Background:
    Given stock of "MUG": Receive {quantity: 10}
    And cart "C1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 10.00 GBP}} |
    And cart "C1": CheckOut {order: O1, payment: P1, method: wallet, delivery: {contact: Ada, address: London, country: GB}, attempts_max: 3, pay_by: now + 30 minutes}

  Scenario: A wallet's token pays an order as a card's does
    When payment "P1": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested {attempt: A1, amount: 30.00 GBP, ..}
    And eventually order "O1": Confirmed
    And eventually payment "P1": Captured {amount: 30.00 GBP, ..}
    And the order "O1" reads {status: confirmed, payment_status: captured, ..}

  Scenario: A wallet that is empty leaves the order to be paid otherwise
    Given payment "P1": Authorize {attempt: A1, token: tok_decline}
    When payment "P1": Authorize {attempt: A2, token: tok_approve}
    Then AuthorizationRequested {attempt: A2, ..}
    And eventually payment "P1": Captured {amount: 30.00 GBP, ..}
    And the order "O1" reads {status: confirmed, ..}
