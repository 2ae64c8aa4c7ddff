Feature: Paid by UPI

  Background:
    Given stock of "MUG": Receive {quantity: 10}
    And cart "C1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 10.00 GBP}} |
    And cart "C1": CheckOut {order: O1, payment: P1, method: upi, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}

  Scenario: The buyer agrees in their own app, and the order is paid
    When payment "P1": Authorize {attempt: A1, token: tok_late}
    Then AuthorizationRequested {attempt: A1, amount: 30.00 GBP, ..}
    When 1 minute passes
    Then eventually payment "P1": Authorized {attempt: A1, ..}
    And eventually payment "P1": Captured {amount: 30.00 GBP, ..}
    And the order "O1" reads {status: confirmed, payment_status: captured, ..}

  Scenario: What a buyer agreed to goes back when the order is cancelled
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {reason: customer_request, ..}
    And eventually payment "P1": Refunded {amount: 30.00 GBP, ..}
    And the payment "P1" reads {status: refunded, ..}
