Feature: One customer buys only so many, over all their orders

  Background:
    Given stock of "MUG": Receive {quantity: 50}
    And cart "C1":
      | Open    | {customer: ada, currency: GBP}                                                                     |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP, purchase_limit: 3}} |
    And cart "C2":
      | Open    | {customer: ada, currency: GBP}                                                                     |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP, purchase_limit: 3}} |

  Scenario: A purchase limit that was lowered after the cart was filled counts at the checkout
    Given cart "C9":
      | Open    | {customer: eve, currency: GBP}                                                                     |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 15.00 GBP, purchase_limit: 3}} |
    When cart "C9": CheckOut
      | order    | O9                                                            |
      | payment  | P9                                                            |
      | method   | card                                                          |
      | delivery | {contact: Eve, address: London, country: GB}                  |
      | pay_by   | now + 30 minutes                                              |
      | prices   | [{sku: MUG, unit_price: 15.00 GBP, purchase_limit: 2}]        |
    Then refused: cart.purchase_limit {sku: MUG, limit: 2}
    When cart "C9": SetQuantity {sku: MUG, quantity: 2}
    Then QuantitySet
    When cart "C9": CheckOut
      | order    | O9                                                            |
      | payment  | P9                                                            |
      | method   | card                                                          |
      | delivery | {contact: Eve, address: London, country: GB}                  |
      | pay_by   | now + 30 minutes                                              |
      | prices   | [{sku: MUG, unit_price: 15.00 GBP, purchase_limit: 2}]        |
    Then CheckedOut {lines: [{quantity: 2, purchase_limit: 2, ..}], ..}
    And checkout "O9" wants allowance "eve:MUG": Claim {order: O9, quantity: 2, limit: 2}

  Scenario: What a customer orders counts from the moment it is reserved
    When cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And checkout "O1" wants allowance "ada:MUG": Claim {order: O1, quantity: 2, limit: 3}
    And eventually allowance "ada:MUG": Claimed {order: O1, quantity: 2}

  Scenario: Two carts do not get around the limit
    Given cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    When cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually checkout "O2": ReservationFailed {shortages: [], refusals: [{index: 2, refusal: {code: allowance.exceeded, values: {limit: 3, used: 2, requested: 2}}}]}
    And eventually order "O2": Cancelled {reason: purchase_limit, confirmed: false, ..}
    And eventually stock of "MUG": Released {reservation: O2, quantity: 2, ..}
    And never payment "P2": IntentOpened
    And never allowance "ada:MUG": GivenBack
    And the order "O2" reads {status: cancelled, cancel_reason: purchase_limit, ..}

  Scenario: An order that nobody paid does not count
    Given cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    When payment "P1": Authorize {attempt: A1, token: tok_decline}
    Then AuthorizationRequested
    And checkout "O1" wants allowance "ada:MUG": GiveBack {order: O1}
    And eventually allowance "ada:MUG": GivenBack {order: O1, quantity: 2}
    When cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually checkout "O2": Reserved

  Scenario: An order that is cancelled after it was confirmed does not count any more
    Given cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    And payment "P1": Authorize {attempt: A1, token: tok_approve}
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled
    And eventually checkout "O1" is exactly:
      | ClaimsReturned |
    And eventually allowance "ada:MUG": GivenBack {order: O1, quantity: 2}
    When cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually checkout "O2": Reserved

  Scenario: Another customer has a limit of their own
    Given cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    And cart "C3":
      | Open    | {customer: eve, currency: GBP}                                                                     |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 15.00 GBP, purchase_limit: 3}} |
    When cart "C3": CheckOut {order: O3, payment: P3, method: card, delivery: {contact: Eve, address: Leeds, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually allowance "eve:MUG": Claimed {order: O3, quantity: 3}
    And eventually checkout "O3": Reserved

  Scenario: Guests are nobody in particular, so their orders are not added up
    Given cart "C3":
      | Open    | {currency: GBP}                                                                                    |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 15.00 GBP, purchase_limit: 3}} |
    When cart "C3": CheckOut {order: O3, payment: P3, method: card, delivery: {contact: Eve, address: Leeds, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And checkout "O3" wants order "O3": Place
    And checkout "O3" wants stock of "MUG": Reserve
    And checkout "O3" wants payment "P3": OpenIntent
    And checkout "O3" wants nothing more

  Scenario: When something is short as well, the limit is the reason that is told, and nothing is kept
    Given cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    And cart "C2": AddLine {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}}
    When cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    Then CheckedOut
    And eventually checkout "O2": ReservationFailed {shortages: [{sku: POT, requested: 1, available: 0}], ..}
    And eventually order "O2": Cancelled {reason: purchase_limit, ..}
