Feature: The purchase limit at the checkout

  Background:
    Given stock of "PS5": Receive {quantity: 10}
    And cart "C1":
      | Open    | {customer: ada, currency: GBP}                                                                            |
      | AddLine | {line: {sku: PS5, product: P5, title: Console, quantity: 2, unit_price: 449.00 GBP, purchase_limit: 3}} |
    And cart "C2":
      | Open    | {customer: ada, currency: GBP}                                                                            |
      | AddLine | {line: {sku: PS5, product: P5, title: Console, quantity: 2, unit_price: 449.00 GBP, purchase_limit: 3}} |
    And cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}

  Scenario: A second order that goes beyond the limit is called off, and its units stay on sale
    When cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And checkout "O2" wants allowance "ada:PS5": Claim {order: O2, quantity: 2, limit: 3}
    And eventually order "O2": Cancelled {reason: purchase_limit, ..}
    And eventually stock of "PS5": Released {reservation: O2, quantity: 2, short: 0}
    And never allowance "ada:PS5": Claimed {order: O2, ..}
    And never payment "P2": IntentOpened
    And the order "O2" reads {status: cancelled, cancel_reason: purchase_limit, ..}

  Scenario: An order that nobody pays does not count
    Given payment "P1": Authorize {attempt: A1, token: tok_decline}
    When cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually allowance "ada:PS5": Claimed {order: O2, quantity: 2}
    And eventually payment "P2": IntentOpened

  Scenario: An order that is declined gives its claim back at once
    When payment "P1": Authorize {attempt: A1, token: tok_decline}
    Then eventually checkout "O1": GivenUp {reason: payment_declined}
    And checkout "O1" wants allowance "ada:PS5": GiveBack {order: O1}
    And eventually allowance "ada:PS5": GivenBack {order: O1, quantity: 2}

  Scenario: An order that is cancelled after it was paid no longer counts
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {reason: customer_request, ..}
    And eventually checkout "O1": ClaimsReturned
    And eventually allowance "ada:PS5": GivenBack {order: O1, quantity: 2}

  Scenario: An order that was paid goes on counting
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    When cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually order "O2": Cancelled {reason: purchase_limit, ..}
    And never allowance "ada:PS5": GivenBack

  Scenario: What one customer has bought is not held against another
    Given cart "C3":
      | Open    | {customer: eve, currency: GBP}                                                                            |
      | AddLine | {line: {sku: PS5, product: P5, title: Console, quantity: 3, unit_price: 449.00 GBP, purchase_limit: 3}} |
    When cart "C3": CheckOut {order: O3, payment: P3, method: card, delivery: {contact: Eve, address: Leeds, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually allowance "eve:PS5": Claimed {order: O3, quantity: 3}

  Scenario: Guests are nobody in particular: each of their carts may hold the limit
    Given cart "G1":
      | Open     | {currency: GBP}                                                                                                                                                         |
      | AddLine  | {line: {sku: PS5, product: P5, title: Console, quantity: 3, unit_price: 449.00 GBP, purchase_limit: 3}}                                                               |
      | CheckOut | {order: O3, payment: P3, method: card, delivery: {contact: Guest, address: Leeds, country: GB}, pay_by: now + 30 minutes}                                          |
    And cart "G2":
      | Open    | {currency: GBP}                                                                                           |
      | AddLine | {line: {sku: PS5, product: P5, title: Console, quantity: 3, unit_price: 449.00 GBP, purchase_limit: 3}} |
    When cart "G2": CheckOut {order: O4, payment: P4, method: card, delivery: {contact: Guest, address: Leeds, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually payment "P4": IntentOpened
    And never order "O4": Cancelled

  Scenario: A guest who logs in claims what they order as the customer that they are
    Given cart "G1":
      | Open      | {currency: GBP}                                                                                           |
      | AddLine   | {line: {sku: PS5, product: P5, title: Console, quantity: 3, unit_price: 449.00 GBP, purchase_limit: 3}} |
      | MergeInto | {into: C9, customer: ada}                                                                                 |
    When cart "C9": CheckOut {order: O9, payment: P9, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut {customer: ada, ..}
    And eventually order "O9": Cancelled {reason: purchase_limit, ..}

  Scenario: A console that is called off before it ships may be bought again
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 1}]}
    Then LinesCancelled {customer: ada, ..}
    And order "O1" wants allowance "ada:PS5": GiveBack {order: O1, quantity: 1}
    And eventually allowance "ada:PS5": GivenBack {order: O1, quantity: 1}

  Scenario: A console that came back broken counts no longer, whoever broke it
    Given payment "P1": Authorize {attempt: A1, token: tok_approve}
    And order "O1": Ship {shipment: S1, carrier: Courier, lines: [{line: 0, quantity: 2}]}
    And order "O1": RequestReturn {return_id: R1, lines: [{line: 0, quantity: 1}], reason: broken}
    And order "O1": ApproveReturn {return_id: R1}
    When order "O1": ReceiveReturn {return_id: R1, lines: [{line: 0, quantity: 1, disposition: write_off}], issued_at: now}
    Then ReturnReceived
    And eventually allowance "ada:PS5": GivenBack {order: O1, quantity: 1}
