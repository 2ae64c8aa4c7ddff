Feature: What is on an order changes before anything ships

  Background:
    Given stock of "MUG": Receive {quantity: 10}
    And stock of "POT": Receive {quantity: 10}
    And stock of "CUP": Receive {quantity: 10}
    And cart "C1":
      | Open    | {currency: GBP}                                                                 |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 3, unit_price: 10.00 GBP}} |
      | AddLine | {line: {sku: POT, product: P2, title: Pot, quantity: 1, unit_price: 20.00 GBP}} |
    And cart "C1": CheckOut
      | order    | O1                                                                                                                                                                                                                          |
      | payment  | P1                                                                                                                                                                                                                          |
      | method   | card                                                                                                                                                                                                                        |
      | capture  | on_shipment                                                                                                                                                                                                                 |
      | delivery | {contact: Ada, address: London, country: GB}                                                                                                                                                                                |
      | pay_by   | now + 30 minutes                                                                                                                                                                                                            |
      | quote    | {prices_include_tax: true, lines: [{rate_ppm: 0, tax: 0.00 GBP}, {rate_ppm: 0, tax: 0.00 GBP}], shipping: {code: POST, title: Royal Mail, price: 4.50 GBP, rate_ppm: 0, tax: 0.00 GBP}, tax: 0.00 GBP, total: 54.50 GBP} |
    And payment "P1": Authorize {attempt: A1, token: tok_approve}

  Scenario: What an edit asks for is told as units more and less, and as two totals
    Given order "O1": BeginEdit {edit: E1}
    When order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 5}}, {remove_line: {line: 1}}, {add_line: {sku: CUP, quantity: 2, unit_price: 6.00 GBP}}]}
    Then EditStaged {edit: E1, changes: [{set_quantity: {line: 0, quantity: 5}}, {remove_line: {line: 1}}, {add_line: {sku: CUP, quantity: 2, unit_price: 6.00 GBP}}]}
    When order "O1": CommitEdit {edit: E1, payment: P2, pay_by: now + 30 minutes}
    Then EditCommitted
      | edit           | E1                                                  |
      | add            | [{sku: CUP, quantity: 2}, {sku: MUG, quantity: 2}] |
      | remove         | [{sku: POT, quantity: 1}]                           |
      | total          | 66.50 GBP                                           |
      | previous_total | 54.50 GBP                                           |
      | terms          | {payment: P1, method: card, capture: on_shipment}   |
      | payment        | P2                                                  |
      | pay_by         | now + 30 minutes                                    |
      | at             | now                                                 |
    And the order "O1" reads {edit: {id: E1, committed: true, payment: P2}, total: 54.50 GBP, ..}

  Scenario: An edit that makes the order cheaper needs no payment, even if one is offered
    Given order "O1": BeginEdit {edit: E1}
    And order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 1}}]}
    When order "O1": CommitEdit {edit: E1, payment: P2, pay_by: now + 30 minutes}
    Then EditCommitted {edit: E1, add: [], remove: [{sku: MUG, quantity: 2}], total: 34.50 GBP, previous_total: 54.50 GBP, terms: {payment: P1, method: card, capture: on_shipment}, at: now}
    And never payment "P2": IntentOpened

  Scenario: What is staged again replaces what was staged before
    Given order "O1": BeginEdit {edit: E1}
    And order "O1": StageEdit {edit: E1, changes: [{remove_line: {line: 0}}]}
    When order "O1": StageEdit {edit: E1, changes: [{remove_line: {line: 1}}]}
    And order "O1": CommitEdit {edit: E1}
    Then EditCommitted {remove: [{sku: POT, quantity: 1}], add: [], total: 34.50 GBP, ..}

  Scenario: Two people do not change an order at the same time
    When order "O1": BeginEdit {edit: E1}
    Then EditBegun {edit: E1}
    When order "O1": BeginEdit {edit: E1}
    Then nothing happens
    When order "O1": BeginEdit {edit: E2}
    Then refused: order.edit_open {edit: E1}
    When order "O1": AbandonEdit {edit: E1}
    Then EditAbandoned {edit: E1}
    When order "O1": BeginEdit {edit: E2}
    Then EditBegun {edit: E2}

  Scenario: While somebody changes the order, nothing is packed
    Given order "O1": BeginEdit {edit: E1}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 1}]}
    Then refused: order.edit_open {edit: E1}
    And the order "O1" reads {edit: {id: E1, committed: false, ..}, ..}

  Scenario: What the buyer was promised while the changes are made does not move under them
    Given order "O1": BeginEdit {edit: E1}
    And order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 4}}]}
    And order "O1": CommitEdit {edit: E1, payment: P2, pay_by: now + 30 minutes}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 1}]}
    Then refused: order.edit_committed {edit: E1}
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 1}]}
    Then refused: order.edit_committed {edit: E1}
    When order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 2}}]}
    Then refused: order.edit_committed {edit: E1}
    When order "O1": AbandonEdit {edit: E1}
    Then refused: order.edit_committed {edit: E1}
    When order "O1": CommitEdit {edit: E1, payment: P2, pay_by: now + 30 minutes}
    Then nothing happens

  Scenario: A customer who calls off the whole order need not wait for the edit
    Given order "O1": BeginEdit {edit: E1}
    And order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 4}}]}
    And order "O1": CommitEdit {edit: E1, payment: P2, pay_by: now + 30 minutes}
    When order "O1": Cancel {reason: customer_request}
    Then EditRejected {edit: E1, reason: order_closed}
    And Cancelled {reason: customer_request, units: [{sku: MUG, quantity: 3}, {sku: POT, quantity: 1}], value: 54.50 GBP, ..}

  Scenario: Whoever cancels the last line while somebody edits the order ends the edit
    Given order "O1": BeginEdit {edit: E1}
    When order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 3}, {line: 1, quantity: 1}]}
    Then LinesCancelled {value: 54.50 GBP, complete: true, ..}
    And EditRejected {edit: E1, reason: order_closed}
    And Cancelled {reason: lines_cancelled, ..}

  Scenario Outline: An edit has to change something, and leave something
    Given order "O1": BeginEdit {edit: E1}
    And order "O1": StageEdit {edit: E1, changes: <changes>}
    When order "O1": CommitEdit {edit: E1}
    Then refused: order.nothing_to_edit

    Examples:
      | changes                                   |
      | []                                        |
      | [{set_quantity: {line: 0, quantity: 3}}] |

  Scenario Outline: What cannot be on an order cannot be edited into it
    Given order "O1": BeginEdit {edit: E1}
    When order "O1": StageEdit {edit: E1, changes: <changes>}
    Then refused: <refusal>

    Examples:
      | changes                                                           | refusal                      |
      | [{remove_line: {line: 0}}, {remove_line: {line: 1}}]              | order.empty                  |
      | [{remove_line: {line: 2}}]                                        | order.no_such_line {line: 2} |
      | [{add_line: {sku: CUP, quantity: 1, unit_price: 5.00 EUR}}]       | order.bad_total              |
      | [1999 x {add_line: {sku: CUP, quantity: 1, unit_price: 0.01 GBP}}] | order.too_many_lines {max: 2000} |

  Scenario: After the first parcel the order is not edited any more
    Given order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 1, quantity: 1}]}
    When order "O1": BeginEdit {edit: E1}
    Then refused: order.already_shipped

  Scenario: Only an edit that is wanted is made, and only once
    Given order "O1": BeginEdit {edit: E1}
    And order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 2}}]}
    When order "O1": ApplyEdit {edit: E1}
    Then refused: order.edit_not_committed {edit: E1}
    When order "O1": ApplyEdit {edit: E7}
    Then refused: order.no_such_edit {edit: E7}
    When order "O1": CommitEdit {edit: E1}
    Then EditCommitted
    And eventually order "O1": EditApplied {edit: E1, lines: [{sku: MUG, title: Mug, quantity: 2, unit_price: 10.00 GBP, tax: 0.00 GBP}, {sku: POT, title: Pot, quantity: 1, unit_price: 20.00 GBP, tax: 0.00 GBP}], total: 44.50 GBP}
    When order "O1": ApplyEdit {edit: E1}
    Then nothing happens
    When order "O1": RejectEdit {edit: E1, reason: out_of_stock}
    Then refused: order.edit_ended {edit: E1}

  Scenario: An edit that was turned down leaves the order as it was, and is not taken up again
    Given order "O1": BeginEdit {edit: E1}
    And order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 4}}]}
    And order "O1": CommitEdit {edit: E1, payment: P2, pay_by: now + 30 minutes}
    When 30 minutes pass
    Then eventually order "O1": EditRejected {edit: E1, reason: not_paid}
    When order "O1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 4}]}
    Then refused: order.too_many_units {line: 0, left: 3}
    When order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 2}}]}
    Then refused: order.edit_ended {edit: E1}

  Scenario: An edit counts the lines as they are after a cancellation
    Given order "O1": CancelLines {cancellation: X1, lines: [{line: 0, quantity: 1}]}
    And order "O1": BeginEdit {edit: E1}
    And order "O1": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 3}}]}
    When order "O1": CommitEdit {edit: E1, payment: P2}
    Then EditCommitted {add: [{sku: MUG, quantity: 1}], remove: [], total: 54.50 GBP, previous_total: 44.50 GBP, ..}

  Scenario: A quarter of the units carries a quarter of the line's tax, rounded half up
    Given cart "C2":
      | Open    | {currency: GBP}                                                                |
      | AddLine | {line: {sku: MUG, product: P1, title: Mug, quantity: 4, unit_price: 1.00 GBP}} |
    And cart "C2": CheckOut
      | order    | O2                                                                                                                              |
      | payment  | P3                                                                                                                              |
      | method   | card                                                                                                                            |
      | delivery | {contact: Ada, address: London, country: GB}                                                                                    |
      | pay_by   | now + 30 minutes                                                                                                                |
      | quote    | {prices_include_tax: false, lines: [{rate_ppm: 205000, tax: 0.82 GBP}], tax: 0.82 GBP, total: 4.82 GBP}                         |
    And payment "P3": Authorize {attempt: A1, token: tok_approve}
    And order "O2": BeginEdit {edit: E1}
    And order "O2": StageEdit {edit: E1, changes: [{set_quantity: {line: 0, quantity: 1}}]}
    When order "O2": CommitEdit {edit: E1}
    Then EditCommitted {total: 1.21 GBP, previous_total: 4.82 GBP, ..}
    And eventually order "O2": EditApplied {lines: [{sku: MUG, title: Mug, quantity: 1, unit_price: 1.00 GBP, tax: 0.21 GBP}], total: 1.21 GBP, ..}
    And eventually payment "P3": Refunded {amount: 3.61 GBP, ..}

  Scenario: An order that nobody pays is not edited, for nobody could settle the difference
    Given cart "C2":
      | Open    | {currency: GBP}                                                                   |
      | AddLine | {line: {sku: CUP, product: P3, title: Sample, quantity: 1, unit_price: 0.00 GBP}} |
    And cart "C2": CheckOut {order: O2, payment: P2, method: card, delivery: {contact: Ada, address: London, country: GB}, pay_by: now + 30 minutes}
    When order "O2": BeginEdit {edit: E1}
    Then refused: order.no_terms
