Feature: What an edit of an order costs more or less

  Background:
    Given it is 2026-03-02T09:00:00Z
    And stock of "MUG": Receive {quantity: 10}
    And stock of "POT": Receive {quantity: 5}
    And cart "C1":
      | Open    | {customer: ada, currency: GBP}                                                  |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 10.00 GBP}} |
      | AddLine | {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}} |
    And cart "C1": CheckOut {order: O1, payment: P1, method: card, delivery: {contact: Ada, address: London, country: GB}, capture: at_once, pay_by: now + 30 minutes}
    And payment "P1": Authorize {attempt: A1, token: tok_approve}
    And order "O1": BeginEdit {edit: E1}

  Scenario: What is added is reserved first, then paid, then taken from the shelf, then on the order
    Given order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 5}}]}
    When order "O1": CommitEdit {edit: E1, payment: P2, pay_by: now + 30 minutes}
    Then EditCommitted {add: [{sku: MUG, quantity: 2}], total: 70.00 GBP, previous_total: 50.00 GBP, payment: P2, ..}
    And eventually fulfilment "O1": EditStarted {order: O1, edit: E1, add: [{sku: MUG, quantity: 2}], remove: [], total: 70.00 GBP, difference: 20.00 GBP, ..}
    And eventually fulfilment "O1": EditReserved {plan: {edit: E1, ..}}
    And fulfilment "O1" wants stock of "MUG": Reserve {reservation: E1, quantity: 2, expires_at: now + 40 minutes, in_stock: true, now: now}
    And fulfilment "O1" wants payment "P2": OpenIntent {order: O1, amount: 20.00 GBP, method: card, capture: at_once}
    And fulfilment "O1" wants nothing more
    And never order "O1": EditApplied
    When payment "P2": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested
    And eventually fulfilment "O1":
      | AuthorizationNoted | {payment: P2, amount: 20.00 GBP}                          |
      | EditAccepted       | {plan: {edit: E1, ..}, at: now}                           |
      | EditAllocated      | {plan: {edit: E1, ..}, at: now}                           |
      | EditDone           | {plan: {edit: E1, ..}}                                    |
      | BalanceChanged     | {due: 70.00 GBP, keep: 70.00 GBP, complete: false}        |
      | CaptureDue         | {payment: P2, amount: 20.00 GBP, capture: due-2, at: now} |
    And fulfilment "O1" wants stock of "MUG": Allocate {reservation: E1, now: now}
    And fulfilment "O1" wants order "O1": ApplyEdit {edit: E1}
    And eventually order "O1": EditApplied {edit: E1, total: 70.00 GBP, ..}
    And eventually stock of "MUG": Allocated {reservation: E1, quantity: 2, ..}
    And eventually payment "P2": Captured {amount: 20.00 GBP, ..}
    And the order "O1" reads {total: 70.00 GBP, edit: none, ..}

  Scenario: Whoever edits an order for a customer may go beyond what one customer may buy
    Given cart "C2":
      | Open    | {customer: ada, currency: GBP}                                                                     |
      | AddLine | {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP, purchase_limit: 1}} |
    And cart "C2": CheckOut {order: O2, payment: P9, method: card, delivery: {contact: Ada, address: London, country: GB}, capture: at_once, pay_by: now + 30 minutes}
    And payment "P9": Authorize {attempt: A1, token: tok_approve}
    And order "O2": BeginEdit {edit: E2}
    And order "O2": StageEdit {edit: E2, changes: [{set_quantity: {line: 0, quantity: 2}}]}
    When order "O2": CommitEdit {edit: E2, payment: P3, pay_by: now + 30 minutes}
    Then EditCommitted {add: [{sku: POT, quantity: 1}], ..}
    When payment "P3": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested
    And eventually order "O2": EditApplied {total: 40.00 GBP, ..}
    And never order "O2": EditRejected

  Scenario: What is taken away is put back and its money given back, without anybody paying anything
    Given order "O1": StageEdit {edit: E1, changes: [{remove_line: {line: 1}}]}
    When order "O1": CommitEdit {edit: E1}
    Then EditCommitted {remove: [{sku: POT, quantity: 1}], total: 30.00 GBP, ..}
    And eventually order "O1": EditApplied {lines: [{sku: MUG, title: Mug, quantity: 3, unit_price: 10.00 GBP}], total: 30.00 GBP, ..}
    And fulfilment "O1" wants stock of "POT": PutBack {reservation: O1, quantity: 1, reference: E1}
    And fulfilment "O1" wants payment "P1": Refund {refund: due-2, amount: 20.00 GBP, ..}
    And eventually stock of "POT": Adjusted {delta: 1, reason: returned, reference: E1, ..}
    And eventually payment "P1": Refunded {amount: 20.00 GBP, ..}

  Scenario: Two mugs for a pot is an even swap: nobody pays, nobody gets anything back
    Given order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 5}}, {remove_line: {line: 1}}]}
    When order "O1": CommitEdit {edit: E1, payment: P2, pay_by: now + 30 minutes}
    Then EditCommitted
    And eventually order "O1": EditApplied {total: 50.00 GBP, ..}
    And eventually stock of "MUG": Allocated {reservation: E1, quantity: 2, ..}
    And eventually stock of "POT": Adjusted {delta: 1, ..}
    And never payment "P2": IntentOpened
    And never payment "P1": RefundRequested

  Scenario: Changes that are not paid in time are not made, and what was reserved for them is let go
    Given order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 5}}]}
    And order "O1": CommitEdit {edit: E1, payment: P2, pay_by: now + 30 minutes}
    When 30 minutes pass
    Then eventually fulfilment "O1": EditFailed {plan: {edit: E1, ..}, reason: not_paid, allocated: false, lost: []}
    And fulfilment "O1" wants stock of "MUG": Release {reservation: E1}
    And fulfilment "O1" wants order "O1": RejectEdit {edit: E1, reason: not_paid}
    And fulfilment "O1" wants payment "P2": Void
    And eventually order "O1": EditRejected {edit: E1, reason: not_paid}
    And eventually stock of "MUG": Released {reservation: E1, quantity: 2, short: 0}
    And eventually payment "P2": Voided
    And the order "O1" reads {total: 50.00 GBP, edit: none, ..}

  Scenario: A declined card leaves the buyer the rest of the time to find another one
    Given order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 5}}]}
    And order "O1": CommitEdit {edit: E1, payment: P2, pay_by: now + 30 minutes}
    And payment "P2": Authorize {attempt: A1, token: tok_decline}
    When payment "P2": Authorize {attempt: A2, token: tok_approve}
    Then AuthorizationRequested
    And eventually order "O1": EditApplied {edit: E1, ..}

  Scenario: Changes for which there is no stock are not made, and never paid
    Given order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 4}}, {set_quantity: {line: 1, quantity: 9}}]}
    When order "O1": CommitEdit {edit: E1, payment: P2, pay_by: now + 30 minutes}
    Then EditCommitted
    And eventually fulfilment "O1": EditFailed {plan: {edit: E1, ..}, reason: out_of_stock, allocated: false, lost: [1]}
    And eventually stock of "MUG": Released {reservation: E1, quantity: 1, ..}
    And eventually order "O1": EditRejected {edit: E1, reason: out_of_stock}
    And eventually payment "P2": Voided

  Scenario: An edit does not wait for units that are still to come
    Given stock of "POT": SetPolicy {policy: backorder {limit: 100}}
    And order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 1, quantity: 9}}]}
    When order "O1": CommitEdit {edit: E1, payment: P2, pay_by: now + 30 minutes}
    Then EditCommitted
    And eventually order "O1": EditRejected {edit: E1, reason: out_of_stock}
    And never stock of "POT": Backordered

  Scenario: What costs more and names no payment is turned down at once
    Given order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 5}}]}
    When order "O1": CommitEdit {edit: E1}
    Then EditCommitted
    And eventually order "O1": EditRejected {edit: E1, reason: not_paid}
    And never stock of "MUG": Reserved

  Scenario: Units that somebody took from under a paid edit are not sold, and the payment is let go
    Given order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 5}}]}
    And order "O1": CommitEdit {edit: E1, payment: P2, pay_by: now + 30 minutes}
    And stock of "MUG": Release {reservation: E1}
    When payment "P2": Authorize {attempt: A1, token: tok_approve}
    Then AuthorizationRequested
    And eventually fulfilment "O1": EditFailed {reason: out_of_stock, allocated: true, lost: [0], ..}
    And eventually order "O1": EditRejected {edit: E1, reason: out_of_stock}
    And eventually payment "P2": Voided
    And never payment "P2": Captured

  Scenario: An order that is called off while its edit waits to be paid undoes the edit as well
    Given order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 5}}]}
    And order "O1": CommitEdit {edit: E1, payment: P2, pay_by: now + 30 minutes}
    When order "O1": Cancel {reason: customer_request}
    Then EditRejected {edit: E1, reason: order_closed}
    And Cancelled {units: [{sku: MUG, quantity: 3}, {sku: POT, quantity: 1}], value: 50.00 GBP, ..}
    And eventually fulfilment "O1": EditFailed {reason: order_closed, allocated: false, ..}
    And eventually stock of "MUG": Released {reservation: E1, quantity: 2, ..}
    And eventually payment "P2": Voided
    And eventually payment "P1": Refunded {amount: 50.00 GBP, ..}

  Scenario: A payment that comes after its edit was turned down is let go
    Given order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 5}}]}
    And order "O1": CommitEdit {edit: E1, payment: P2, pay_by: now + 2 seconds}
    And payment "P2": Authorize {attempt: A1, token: tok_late}
    When 2 seconds pass
    Then eventually order "O1": EditRejected {edit: E1, reason: not_paid}
    When 1 second passes
    Then eventually payment "P2": Authorized
    And eventually fulfilment "O1": ReleaseDue {payment: P2, ..}
    And eventually payment "P2": VoidRequested {amount: 20.00 GBP, ..}
    And never payment "P2": Captured

  Scenario: A buyer who dropped a pot and then cancels gets back only what was still paid
    Given order "O1": StageEdit {edit: E1, changes: [{remove_line: {line: 1}}]}
    And order "O1": CommitEdit {edit: E1}
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {units: [{sku: MUG, quantity: 3}], value: 30.00 GBP, ..}
    And eventually payment "P1": Refunded {amount: 30.00 GBP, ..}
    And the payment "P1" reads {status: refunded, refunded: 50.00 GBP, ..}

  Scenario: What was paid with two cards is given back to both of them
    Given order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 5}}]}
    And order "O1": CommitEdit {edit: E1, payment: P2, pay_by: now + 30 minutes}
    And payment "P2": Authorize {attempt: A1, token: tok_approve}
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {value: 70.00 GBP, ..}
    And eventually payment "P2": Refunded {amount: 20.00 GBP, ..}
    And eventually payment "P1": Refunded {amount: 50.00 GBP, ..}

  Scenario: A parcel of an edited order that is paid on shipment takes from both cards
    Given cart "C2":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 10.00 GBP}} |
    And cart "C2": CheckOut {order: O2, payment: P3, method: card, delivery: {contact: Eve, address: Leeds, country: GB}, capture: on_shipment, pay_by: now + 30 minutes}
    And payment "P3": Authorize {attempt: A1, token: tok_approve}
    And order "O2": BeginEdit {edit: E2}
    And order "O2": StageEdit {edit: E2, changes: [{set_quantity: {line: 0, quantity: 3}}]}
    And order "O2": CommitEdit {edit: E2, payment: P4, pay_by: now + 30 minutes}
    And payment "P4": Authorize {attempt: A1, token: tok_approve}
    When order "O2": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 3}]}
    Then Shipped {value: 30.00 GBP, complete: true, ..}
    And eventually payment "P3": Captured {amount: 10.00 GBP, ..}
    And eventually payment "P4": Captured {amount: 20.00 GBP, ..}

  Scenario: Whoever pays cash is not asked for a card when the order grows
    Given cart "C2":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 1, unit_price: 10.00 GBP}} |
    And cart "C2": CheckOut {order: O2, payment: P3, method: cash_on_delivery, delivery: {contact: Eve, address: Leeds, country: GB}, pay_by: now + 30 minutes}
    And order "O2": BeginEdit {edit: E2}
    And order "O2": StageEdit {edit: E2, changes: [{set_quantity: {line: 0, quantity: 3}}]}
    When order "O2": CommitEdit {edit: E2, payment: P4, pay_by: now + 30 minutes}
    Then EditCommitted
    And eventually order "O2": EditApplied {total: 30.00 GBP, ..}
    When order "O2": Ship {shipment: S1, carrier: Courier, lines: [{line: 0, quantity: 3}]}
    And order "O2": Deliver {shipment: S1}
    Then Delivered {value: 30.00 GBP, ..}
    And eventually payment "P3": Captured {amount: 10.00 GBP, ..}
    And eventually payment "P4": Captured {amount: 20.00 GBP, ..}
