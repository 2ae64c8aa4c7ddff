Feature: Credit notes, and the numbers that orders and credit notes have

  Scenario: A credit note is not an order
    When order "N1": IssueCreditNote {source: {import: C536379}, lines: [{sku: MUG, quantity: 1, unit_price: 15.00 GBP}], issued_at: now}
    Then CreditNoteIssued {total: 15.00 GBP, ..}
    When order "N1": Cancel {reason: staff}
    Then refused: order.is_credit_note
    When order "N1": Ship {shipment: S1, carrier: Post, lines: [{line: 0, quantity: 1}]}
    Then refused: order.is_credit_note
    And the order "N1" reads {kind: credit_note, status: credited, total: 15.00 GBP, ..}

  Scenario: A credit note is issued once, and its name is nobody else's
    Given order "N1": IssueCreditNote {source: {import: C536379}, lines: [{sku: MUG, quantity: 1, unit_price: 15.00 GBP}], issued_at: now}
    When order "N1": IssueCreditNote {source: {import: C536379}, lines: [{sku: MUG, quantity: 1, unit_price: 15.00 GBP}], issued_at: now}
    Then nothing happens
    When order "N1": IssueCreditNote {source: {import: C536379}, lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}], issued_at: now}
    Then refused: order.already_placed

  Scenario: Goodwill can be credited without any goods, but not below nothing
    When order "N1": IssueCreditNote {source: {import: C1}, charges: [{code: GOODWILL, quantity: 1, unit_amount: 5.00 GBP}], issued_at: now}
    Then CreditNoteIssued {charges: [{code: GOODWILL, quantity: 1, unit_amount: 5.00 GBP}], lines: [], total: 5.00 GBP, ..}
    When order "N2": IssueCreditNote {source: {import: C2}, charges: [{code: GOODWILL, quantity: 1, unit_amount: -5.00 GBP}], issued_at: now}
    Then refused: order.bad_total

  Scenario: The number of an invoice is never changed
    Given order "O1": Place {source: {import: 536365}, lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}], placed_at: now}
    And order "O1": Confirm
    When order "O1": RecordInvoice {year: 2026, number: 7, issued_at: now}
    Then Invoiced {year: 2026, number: 7, issued_at: now}
    When order "O1": RecordInvoice {year: 2026, number: 7, issued_at: now}
    Then nothing happens
    When order "O1": RecordInvoice {year: 2026, number: 8, issued_at: now}
    Then refused: order.already_invoiced {year: 2026, number: 7}
    And the order "O1" reads {invoice: {year: 2026, number: 7, ..}, ..}

  Scenario: There is no invoice for what is not certain yet, or was called off before
    Given order "O1": Place {source: {cart: C1}, lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}], placed_at: now}
    When order "O1": RecordInvoice {year: 2026, number: 7, issued_at: now}
    Then refused: order.not_confirmed
    When order "O1": Cancel {reason: staff}
    And order "O1": RecordInvoice {year: 2026, number: 7, issued_at: now}
    Then refused: order.cancelled {reason: staff}

  Scenario: An invoiced order that is cancelled before it leaves owes a credit note over all of it
    Given order "O1": Place {source: {import: 536365}, lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}], charges: [{code: POST, quantity: 1, unit_amount: 4.00 GBP}], placed_at: now}
    And order "O1": Confirm
    And order "O1": RecordInvoice {year: 2026, number: 7, issued_at: now}
    When order "O1": Cancel {reason: customer_request}
    Then Cancelled {value: 34.00 GBP, credit: {source: {import: 536365}, lines: [{sku: MUG, quantity: 2, unit_price: 15.00 GBP}], charges: [{code: POST, quantity: 1, unit_amount: 4.00 GBP}], prices_include_tax: true}, ..}
